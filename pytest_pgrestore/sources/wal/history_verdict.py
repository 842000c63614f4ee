"""What a history means for a drill: each trouble has a sentence of its own, and a way out.

The rule behind them: a drill restores as production would by default. Where that does not bring
production back, the verdict is `failed`, and the hint names the setting that does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    TargetUnreachable,
)
from pytest_pgrestore.model.target import Latest

if TYPE_CHECKING:
    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget, Timeline
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sources.wal.history_graph import HistoryGraph, Way
    from pytest_pgrestore.sources.wal.production_timeline import Activity
    from pytest_pgrestore.sources.wal.timelines import TimelinePath

_NAMED = 3
"""Most timelines that a report names."""


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
    older = next((entry for entry in reversed(graph.backups) if _restores(graph, entry)), None)
    goes = f"take a new backup of the server on timeline {newest} now"
    if older is not None:
        goes += f'; until then, backup = "{older.label}" is restored onto timeline {newest}'
    hints = {True: stays, False: goes, None: f"{goes}; {stays}"}
    return BackupNotRestorable(
        f"a default restore of backup {way.backup.label} does not start: it follows timeline"
        f" {newest}, the newest in the archive, and the backup does not lie on it; {way.fatal}"
        f' (PostgreSQL says "requested timeline {newest} is not a child of this server\'s history",'
        ' or "could not locate required checkpoint record")',
        hint=hints[_own_is_later(graph, way, activity)] + ".",
    )


def _restores(graph: HistoryGraph, backup: Backup) -> bool:
    """Return whether a default restore of `backup` starts, and follows every timeline."""
    if backup.timeline is None:
        return False
    try:
        return graph.way(backup).complete
    except BackupNotRestorable:
        return False


def _own_is_later(graph: HistoryGraph, way: Way, activity: Activity | None) -> bool | None:
    """Return whether the backup's timeline was written to after the newest began; None: unknown."""
    newest = way.newest
    fork = dict(graph.ancestors(newest)).get(way.backup.timeline or 1)
    if activity is None or fork is None:
        return None
    born = activity.first(graph.segments_from(newest, fork), fork)
    last = activity.last(graph.segments_from(way.backup.timeline or 1, fork), fork)
    return None if born is None or last is None else last > born


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
