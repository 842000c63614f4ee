"""Which timeline is production's: told by when each of them was written to.

A restored copy that runs with production's archive_command archives a timeline of its own. Its
history looks like that of a failover, and a default restore follows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.model.target import AtLsn, AtTime, Immediate
from pytest_pgrestore.sources.wal.side_branches import branches_beside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sources.wal.history_graph import HistoryGraph, Way
    from pytest_pgrestore.sources.wal.side_branches import Branch
    from pytest_pgrestore.sources.wal.timelines import TimelinePath


class Activity(Protocol):
    """When a timeline was written to, by its WAL or by a list of it."""

    def first(self, names: Sequence[str], at: Lsn) -> datetime | None:
        """Return the first moment at or after `at` in the segments; None without one."""
        ...

    def last(self, names: Sequence[str], at: Lsn) -> datetime | None:
        """Return the last moment at or after `at` in the segments; None without one."""
        ...

    def ran(self, names: Sequence[str], at: Lsn) -> datetime | None:
        """Return when a server last ran that wrote them, though nobody committed; or None."""
        ...


def require_one_production(
    graph: HistoryGraph,
    way: Way,
    target: RecoveryTarget,
    activity: Activity,
    position: Lsn | None = None,
) -> None:
    """Refuse a default restore that may follow a timeline which is not production's.

    Nothing is asked of the user who names a timeline, or whose target lies before the branches, as
    the end of the backup does.

    Args:
        graph: The timelines of the archive.
        way: What the restore does.
        target: Where recovery stops.
        activity: When each timeline was written to.
        position: Where a target that is a name or an xid lies; None if that is not known.

    Raises:
        BackupNotRestorable: A timeline beside the path was written to after the path left it.
        HarnessError: The target exists on two timelines, or nobody can tell which one production's
            is.
    """
    if way.wanted != "latest" or way.path is None:
        return
    where = target if position is None else AtLsn(position)
    for branch in branches_beside(graph, way.path):
        if isinstance(target, Immediate) and not _is_past(branch, way.backup):
            continue
        if not _ended_before(branch, way.backup, activity):
            unknown = _went_on(branch, way, graph.segment_bytes)
            _require_meant(way.path, branch, where, activity, unknown=unknown)


def _is_past(branch: Branch, backup: Backup) -> bool:
    """Return whether a branch left the path before the backup's own timeline began."""
    return branch.child is not None and branch.child <= (backup.timeline or 0)


def _went_on(branch: Branch, way: Way, segment_bytes: int) -> bool:
    """Return whether a timeline of the path has segments beyond the one in which it was left.

    A server that is promoted, or started once more, archives none of them.
    """
    if branch.start is None or way.path is None or _is_past(branch, way.backup):
        return False
    on_path = branch.child is not None and branch.timeline in dict(way.path.steps)
    return on_path and branch.end > branch.start + segment_bytes


def _ended_before(branch: Branch, backup: Backup, activity: Activity) -> bool:
    """Return whether a branch was over when a backup was taken on the timeline beside it.

    Production was there then. An old server that wrote on for a moment after a failover is no
    trouble any more.
    """
    if backup.started_at is None or not _is_past(branch, backup):
        return False
    start = branch.child_start if branch.start is None else branch.start
    last = activity.last(branch.names, start) or activity.ran(branch.names, start)
    return last is not None and last < backup.started_at


def _require_meant(
    path: TimelinePath, branch: Branch, target: RecoveryTarget, activity: Activity, *, unknown: bool
) -> None:
    """Refuse one branch, also one of which no time is known if `unknown` matters.

    See `require_one_production`.
    """
    start = branch.child_start if branch.start is None else branch.start
    last = activity.last(branch.names, start)
    first = activity.first(branch.names, start)
    born = activity.first(branch.child_names, branch.child_start)
    if _lies_before(target, branch, first, born):
        return
    if last is None:
        _require_idle(path, branch, born, activity.ran(branch.names, start), unknown=unknown)
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


def _require_idle(
    path: TimelinePath,
    branch: Branch,
    born: datetime | None,
    ran: datetime | None,
    *,
    unknown: bool,
) -> None:
    """Refuse a branch without a commit that a server went on to write all the same."""
    if branch.child is None or branch.start is None:
        return
    if (ran is None and unknown) or (ran is not None and not branch.child_names):
        raise _nobody_knows(branch)
    if ran is not None and (born is None or ran > born):
        raise _not_alone(path, branch, ran, born)


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
    if branch.child_names:
        return HarnessError(
            f"timeline {branch.child} left timeline {branch.timeline} at {branch.child_start}, and"
            f" timeline {branch.timeline} went on without a commit or a checkpoint in its last"
            " segments: WAL cannot tell which of them is production's",
            hint=f"write timeline = {branch.timeline} or timeline = {branch.child}, whichever is"
            " production's, and move the WAL and the .history of the other one out of the archive.",
        )
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
