"""What a history means for a drill: each trouble has a sentence of its own, and a way out.

The rule behind them: a drill restores as production would by default. Where that does not bring
production back, the verdict is `failed`, and the hint names the setting that does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    HarnessError,
    PgRestoreError,
    TargetUnreachable,
)
from pytest_pgrestore.model.target import AtLsn, AtTime, Immediate, Latest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget, Timeline
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sources.wal.history_graph import Branch, HistoryGraph, Way
    from pytest_pgrestore.sources.wal.timelines import TimelinePath

_NAMED = 3
"""Most timelines that a report names."""


class Activity(Protocol):
    """When a timeline was written to, by its WAL or by a list of it."""

    def first(self, names: Sequence[str], at: Lsn) -> datetime | None:
        """Return the first moment at or after `at` in the segments; None without one."""
        ...

    def last(self, names: Sequence[str], at: Lsn) -> datetime | None:
        """Return the last moment at or after `at` in the segments; None without one."""
        ...


def require_way(
    graph: HistoryGraph, backup: Backup, wanted: Timeline, activity: Activity | None = None
) -> tuple[Way, TimelinePath]:
    """Return the way of a restore of `backup` and its path, which finds every timeline.

    Args:
        graph: The timelines of the archive.
        backup: The backup.
        wanted: The timeline that was asked for.
        activity: Tells which timeline was written to last, for the hint.

    Raises:
        BackupNotRestorable: A default restore is FATAL, or stops early without a word.
        TargetUnreachable: The timeline that was asked for cannot be reached from this backup.
    """
    way = graph.way(backup, wanted)
    if way.path is None:
        raise _fatal(graph, way, activity) if wanted == "latest" else _unreachable(graph, way)
    if way.missing is not None:
        raise _missing(way, way.missing)
    return way, way.path


def not_followed(graph: HistoryGraph, way: Way) -> list[str]:
    """Return a sentence for each of the newest timelines that recovery does not follow."""
    if way.wanted != "latest" or way.path is None:
        return []
    on_path = {timeline for timeline, _ in graph.lineage(way.path)}
    others = sorted((number for number in graph.histories if number not in on_path), reverse=True)
    return [
        f"timeline {number} of the archive was not followed: {graph.why_not(way.backup, number)}"
        for number in others[:_NAMED]
        if number > way.newest
    ]


def _unreachable(graph: HistoryGraph, way: Way) -> TargetUnreachable:
    numbers = [str(number) for number in graph.reachable(way.backup)]
    return TargetUnreachable(
        f"timeline {way.wanted} cannot be reached from backup {way.backup.label} of timeline"
        f" {way.backup.timeline}: {way.fatal}",
        hint=f"this backup reaches timeline = {' or '.join(numbers[:5])}; leave `timeline` out to"
        " follow the newest, or name another backup in `backup`.",
    )


def _missing(way: Way, number: int) -> BackupNotRestorable:
    last = way.unseen[-1]
    return BackupNotRestorable(
        f"{number:08X}.history is missing from the archive, and PostgreSQL stops looking there: a"
        f" default restore ends on timeline {way.newest}, without a word, although timeline {last}"
        f" descends from backup {way.backup.label}",
        hint=f"put {number:08X}.history back from another copy of the archive, or from pg_wal of a"
        f" server; until then, restore by hand with recovery_target_timeline = {last}, which is"
        f" timeline = {last} here.",
    )


def _fatal(graph: HistoryGraph, way: Way, activity: Activity | None) -> BackupNotRestorable:
    """Return the error for a backup that does not lie on the timeline a default restore follows."""
    own, newest = way.backup.timeline or 1, way.newest
    stays = (
        f'timeline = "current" stays on timeline {own}: move {newest:08X}.history and its segments'
        " out of the archive if they are a stray copy's, not production's"
    )
    older = next((entry for entry in reversed(graph.backups) if graph.way(entry).complete), None)
    goes = f"take a new backup of the server on timeline {newest} now"
    if older is not None:
        goes += f'; until then, backup = "{older.label}" is restored onto timeline {newest}'
    hints = {True: stays, False: goes, None: f"{goes}; {stays}"}
    return BackupNotRestorable(
        f"a default restore of backup {way.backup.label} does not start: it follows timeline"
        f" {newest}, the newest in the archive, and the backup does not lie on it; {way.fatal}"
        f' (PostgreSQL: "requested timeline {newest} is not a child of this server\'s history")',
        hint=hints[_own_is_later(graph, way, activity)] + ".",
    )


def _own_is_later(graph: HistoryGraph, way: Way, activity: Activity | None) -> bool | None:
    """Return whether the backup's timeline was written to after the newest began; None: unknown."""
    newest = way.newest
    fork = dict(graph.ancestors(newest)).get(way.backup.timeline or 1)
    if activity is None or fork is None:
        return None
    born = activity.first(graph.segments_from(newest, fork), fork)
    last = activity.last(graph.segments_from(way.backup.timeline or 1, fork), fork)
    return None if born is None or last is None else last > born


def require_one_production(
    graph: HistoryGraph,
    way: Way,
    target: RecoveryTarget,
    activity: Activity,
) -> None:
    """Refuse a default restore that may follow a timeline which is not production's.

    Nothing is asked of the user who names a timeline, or whose target lies before the branches.

    Raises:
        BackupNotRestorable: A timeline beside the path was written to after the path left it.
        HarnessError: The target exists on two timelines, or nobody can tell which one production's
            is.
    """
    if way.wanted != "latest" or way.path is None or isinstance(target, Immediate):
        return
    for branch in graph.branches(way.path):
        _require_meant(way.path, branch, target, activity)


def _require_meant(
    path: TimelinePath, branch: Branch, target: RecoveryTarget, activity: Activity
) -> None:
    """Refuse one branch; see `require_one_production`."""
    start = branch.child_start if branch.start is None else branch.start
    last = activity.last(branch.names, start)
    first = activity.first(branch.names, start)
    born = activity.first(branch.child_names, branch.child_start)
    if last is None or _lies_before(target, branch, first, born):
        return
    if branch.child is None:
        ended = activity.last(branch.child_names, branch.child_start)
        if ended is None or last > ended:
            raise _not_alone(path, branch, last, ended)
        return
    if branch.start is not None and not branch.child_names:
        raise _nobody_knows(branch)
    if born is None or last > born:
        raise _not_alone(path, branch, last, born)
    if _exists_twice(target, branch, first, born):
        raise _twice(target, branch)


def _lies_before(
    target: RecoveryTarget, branch: Branch, first: datetime | None, born: datetime | None
) -> bool:
    """Return whether recovery stops at `target` where all timelines are still one."""
    if isinstance(target, AtLsn):
        return target.lsn < min(branch.start or branch.child_start, branch.child_start)
    if not isinstance(target, AtTime):
        return False
    moments = [moment for moment in (first, born) if moment is not None]
    return bool(moments) and not any(_reached(target, moment) for moment in moments)


def _reached(target: AtTime, moment: datetime) -> bool:
    """Return whether a commit at `moment` is part of a copy restored to `target`."""
    return moment <= target.when if target.inclusive else moment < target.when


def _exists_twice(
    target: RecoveryTarget, branch: Branch, first: datetime | None, born: datetime | None
) -> bool:
    """Return whether `target` lies on the branch as well as on the path."""
    if branch.start is None or branch.child is None or branch.start != branch.child_start:
        return False
    if isinstance(target, AtLsn):
        return branch.start <= target.lsn < branch.end
    if not isinstance(target, AtTime) or first is None:
        return False
    return _reached(target, first) and (born is None or not _reached(target, born))


def _twice(target: RecoveryTarget, branch: Branch) -> PgRestoreError:
    return HarnessError(
        f"{target} exists on two timelines: timeline {branch.child} left timeline"
        f" {branch.timeline} at {branch.child_start}, and timeline {branch.timeline} went on",
        hint=f"write timeline = {branch.timeline} for what the server on timeline"
        f" {branch.timeline} had then, or timeline = {branch.child} for what timeline"
        f" {branch.child} begins with.",
    )


def _nobody_knows(branch: Branch) -> PgRestoreError:
    return HarnessError(
        f"timeline {branch.child} left timeline {branch.timeline} at {branch.child_start}, and"
        f" only its .history is in the archive, while timeline {branch.timeline} went on: WAL"
        " cannot tell which of them is production's",
        hint=f'write timeline = "current" if production is on timeline {branch.timeline}, and move'
        f" {branch.child:08X}.history out of the archive; otherwise find out why WAL of timeline"
        f" {branch.child} does not arrive.",
    )


def _not_alone(
    path: TimelinePath, branch: Branch, last: datetime, other: datetime | None
) -> PgRestoreError:
    """Return the error for a branch that was written to until `last`.

    `other` is when the timeline began that recovery follows instead, or when it ended if there is
    no such timeline.
    """
    child, wrote = branch.child or path.last, "" if other is None else f" at {other.isoformat()}"
    if branch.child is None:
        left = f"timeline {child} was last written to{wrote}"
    elif branch.start == branch.child_start:
        left = (
            f"timeline {child} left timeline {branch.timeline} at {branch.start} and began{wrote}"
        )
    else:
        left = f"timeline {child} began{wrote}"
    return BackupNotRestorable(
        f"a default restore follows timeline {path.last}, which may not be production's: {left},"
        f" but timeline {branch.timeline} was written to until {last.isoformat()}",
        hint=f"find out what archives here besides production, and move the segments and the"
        f" .history of its timeline out of the archive; to say which one is production's, write"
        f" timeline = {branch.timeline} or timeline = {child}.",
    )


def require_fork_archived(path: TimelinePath, target: RecoveryTarget, end: Lsn) -> None:
    """Refuse `latest` if the archive ends before a timeline begins that recovery is to follow.

    PostgreSQL takes that for the end of WAL and opens there without a word.

    Raises:
        BackupNotRestorable: The timeline begins beyond `end`.
    """
    if not isinstance(target, Latest):
        return
    for (timeline, fork), (child, _) in zip(path.steps, path.steps[1:], strict=False):
        if fork is not None and fork > end:
            raise BackupNotRestorable(
                f"timeline {child} begins at {fork}, and the archive's WAL of timeline {timeline}"
                f" ends at {end}: a default restore opens there, and loses what was committed"
                f" after it, because of timeline {child} only the .history is of use",
                hint=f"find out why no WAL of timeline {child} arrives (after a promotion, until"
                " its first segment is full, that is so: wait for it, or run"
                " pg_switch_wal() there); otherwise take a new backup now.",
            )
