"""Choosing the backup for a target by catalogue and history together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.target import Immediate, Latest
from pytest_pgrestore.sources.selection import Picked, other_candidates, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.history_graph import HistoryGraph


def choose_backup(
    graph: HistoryGraph, request: LocateRequest, wanted: str | None, position: Lsn | None = None
) -> Picked:
    """Return the newest backup that reaches the target on the timeline asked for.

    A default restore to the end takes the newest backup, whatever its timeline: `require_way`
    judges it. For any other target or timeline, a backup that lies elsewhere is passed over, as
    the person who restores by hand would do; `Picked.selection` says so.

    Args:
        graph: The timelines of the archive, and its backups, of which there is one at least.
        request: The target and the timeline.
        wanted: Label of the backup that the user names; None names none.
        position: LSN at which the target was found in WAL, for targets that are no LSN or time.

    Raises:
        HarnessError: There is no backup of that name.
        TargetUnreachable: Every backup ends after the target.
    """
    backups, target = graph.backups, request.target
    if wanted is not None or _takes_the_newest(request):
        backup, selection = pick(backups, target, wanted, position)
        others = other_candidates(backups, backup, target, wanted)
        return Picked(backup, selection, others)
    there = [entry for entry in backups if _reaches(graph, entry, request)]
    if not there:
        # None lies on that timeline: the newest is chosen, and `require_way` says why not.
        there = list(backups)
    passed = [entry for entry in backups if entry not in there]
    backup, selection = pick(there, target, None, position)
    newer = [entry for entry in passed if _is_newer(entry, backup)]
    return Picked(
        backup,
        selection + _why_passed(newer, request),
        other_candidates(there, backup, target, None),
    )


def _takes_the_newest(request: LocateRequest) -> bool:
    named = isinstance(request.timeline, int)
    return not named and isinstance(request.target, Latest | Immediate)


def _reaches(graph: HistoryGraph, backup: Backup, request: LocateRequest) -> bool:
    try:
        return graph.way(backup, request.timeline).path is not None
    except BackupNotRestorable:
        return True  # A damaged history is told when its backup is chosen.


def _is_newer(backup: Backup, chosen: Backup) -> bool:
    return (backup.stop_lsn or backup.start_lsn or 0) > (chosen.stop_lsn or chosen.start_lsn or 0)


def _why_passed(newer: Sequence[Backup], request: LocateRequest) -> str:
    if not newer:
        return ""
    labels = ", ".join(backup.label for backup in newer)
    followed = "a default restore follows" if request.timeline == "latest" else "was asked for"
    return f"; {labels} passed over: not on the timeline that {followed}"
