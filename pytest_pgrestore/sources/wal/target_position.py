"""Where a name or a transaction lies in WAL that is on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError, TargetUnreachable
from pytest_pgrestore.model.target import AtName, AtXid
from pytest_pgrestore.sources.wal import archive_findings, commits, segments
from pytest_pgrestore.sources.wal.side_branches import branches_beside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
    from pytest_pgrestore.sources.wal.segments import Supply, WalFile
    from pytest_pgrestore.sources.wal.side_branches import Branch
    from pytest_pgrestore.sources.wal.timelines import TimelinePath


def find_position(
    graph: HistoryGraph, request: LocateRequest, files: Mapping[str, WalFile]
) -> Lsn | None:
    """Return the position of a name or xid target, read from archived WAL.

    None if the target is of another kind, or cannot be found like that.

    Args:
        graph: The timelines of the archive, and its backups.
        request: The target and the timeline.
        files: The archived segments by name.

    Raises:
        HarnessError: The target exists on two timelines.
        TargetUnreachable: The WAL does not contain the target on the timeline that is followed.
    """
    target = request.target
    if not isinstance(target, AtName | AtXid) or not files:
        return None
    oldest = _oldest(graph, request)
    if oldest is None or oldest.start_lsn is None:
        return None
    path = graph.way(oldest, request.timeline).path
    branches = branches_beside(graph, path) if path and request.timeline == "latest" else []
    if path is None or (len(graph.backups) == 1 and not branches):
        return None
    programs = request.find_programs(oldest.server_major)
    found = segments.supply(files, path, oldest.start_lsn, graph.segment_bytes)
    position = search(target, found.files, branches, files, programs)
    if position is None:
        raise _nowhere(target, path, oldest.start_lsn, found, programs)
    return position


def search(
    target: RecoveryTarget,
    along: Sequence[WalFile],
    branches: Sequence[Branch],
    files: Mapping[str, WalFile],
    programs: PostgresPrograms,
) -> Lsn | None:
    """Return the position of a name or xid target in the segments `along` a path; None without it.

    Args:
        target: The target.
        along: The segments that recovery reads, in order.
        branches: The branches beside the path.
        files: The segments by name, those of the branches too.
        programs: PostgreSQL's programs of the major that wrote them.

    Raises:
        HarnessError: The target exists on a branch as well.
        TargetUnreachable: It exists on a branch only.
    """
    position = _in(target, along, programs)
    for branch in branches:
        _require_not_on(branch, target, position, files, programs)
    return position


def _oldest(graph: HistoryGraph, request: LocateRequest) -> Backup | None:
    """Return the oldest backup from which recovery ends on the same timeline as from the newest."""
    ways = [graph.way(backup, request.timeline) for backup in graph.backups]
    there = [way for way in ways if way.path is not None and way.backup.start_lsn is not None]
    if not there:
        return None
    last = there[-1].newest
    return next(way.backup for way in there if way.newest == last)


def _in(
    target: RecoveryTarget,
    files: Sequence[WalFile],
    programs: PostgresPrograms,
    at: Lsn | None = None,
) -> Lsn | None:
    stops = commits.stops_in(files, programs, named=isinstance(target, AtName))
    stop = commits.find(target, (stop for stop in stops if at is None or stop.lsn >= at))
    return None if stop is None else stop.lsn


def _require_not_on(
    branch: Branch,
    target: RecoveryTarget,
    position: Lsn | None,
    files: Mapping[str, WalFile],
    programs: PostgresPrograms,
) -> None:
    """Refuse a target that lies on a timeline which recovery leaves.

    Raises:
        HarnessError: It lies on the path as well.
        TargetUnreachable: It lies there only.
    """
    if branch.start is None or (position is not None and position < branch.start):
        return
    there = [files[name] for name in branch.names if name in files]
    if _in(target, there, programs, branch.start) is None:
        return
    way_out = f"write timeline = {branch.timeline} for the one on timeline {branch.timeline}"
    if position is None:
        raise TargetUnreachable(
            f"{target} lies on timeline {branch.timeline}, which a default restore leaves at"
            f" {branch.start}",
            hint=f"{way_out}.",
        )
    raise HarnessError(
        f"{target} exists on two timelines: at {position} where a default restore goes, and after"
        f" {branch.start} on timeline {branch.timeline}",
        hint=f"{way_out}, or timeline = {branch.child} for the other.",
    )


def _nowhere(
    target: RecoveryTarget,
    path: TimelinePath,
    start: Lsn,
    found: Supply,
    programs: PostgresPrograms,
) -> TargetUnreachable:
    nearest = archive_findings.nearest_stops(found.files, found, target, programs)
    follows = f" of timeline {path}" if len(path.steps) == 1 else f" of timelines {path}"
    return TargetUnreachable(
        f"{target} is not in the WAL{follows} from {start} to {found.end};"
        f" nearest reachable: {'; '.join(nearest) or 'nothing'}",
        hint="choose a point that is there; xid and name are those of the server the backup was"
        " taken from.",
    )
