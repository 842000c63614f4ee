"""Choosing among the backups that Barman lists: the complete ones, and why not the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.barman.catalogue import COMPLETE
from pytest_pgrestore.sources.barman.other_cluster import require_own_cluster
from pytest_pgrestore.sources.selection import no_backup
from pytest_pgrestore.sources.wal import stored_wal
from pytest_pgrestore.sources.wal.history_choice import choose_backup
from pytest_pgrestore.sources.wal.target_position import find_position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.other_cluster import Trace
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.selection import Picked
    from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
    from pytest_pgrestore.sources.wal.segments import WalFile
    from pytest_pgrestore.sources.wal.stored_wal import StoredWal


@dataclass(frozen=True, slots=True)
class ChosenEntry:
    """The backup for a target.

    Attributes:
        entry: Its entry of the catalogue.
        picked: The same backup, with the reason.
        graph: The timelines of the archive, and its complete backups.
        notes: Which backups were left out, and for which WAL is missing.
    """

    entry: Entry
    picked: Picked
    graph: HistoryGraph
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is to choose from.

    Attributes:
        entries: The backups, oldest first, with incomplete ones.
        stored: The archived WAL.
        files: Its segments, if they are on this machine.
        traces: Which clusters wrote it.
        place: Path or address of the backups, for messages.
    """

    entries: Sequence[Entry]
    stored: StoredWal
    files: Mapping[str, WalFile]
    traces: Sequence[Trace]
    place: str


def choose_entry(found: Catalogue, request: LocateRequest, wanted: str | None) -> ChosenEntry:
    """Return the backup for a target.

    Args:
        found: The catalogue.
        request: The target and the timeline.
        wanted: Id or name of the backup that the user names; None names none.

    Raises:
        BackupNotRestorable: There is no complete backup, the named one is not complete, its entry
            lacks what a restore needs, or another cluster archives here.
        TargetUnreachable: The target lies before the end of every backup, or not in the WAL.
        HarnessError: The named one is not there, or was made by snapshots of disks.
    """
    every = found.entries
    complete = [entry for entry in every if entry.status in COMPLETE]
    left_out = [_why_not(entry) for entry in every if entry.status not in COMPLETE]
    named = None if wanted is None else _named(every, wanted)
    if not complete:
        raise no_backup(found.place, left_out)
    for entry in (complete[-1], *([named] if named else [])):
        _require_place(entry)
    placed = [entry for entry in complete if entry.start_file and entry.backup.start_lsn]
    backups = [entry.backup for entry in placed]
    graph = stored_wal.graph_of(found.stored, backups, placed[-1].start_file)
    label = None if named is None else named.backup.label
    require_own_cluster(graph, found.traces, request, label)
    position = None if named else find_position(graph, request, found.files)
    picked = choose_backup(graph, request, label, position)
    entry = next(entry for entry in placed if entry.backup is picked.backup)
    _require_restorable(entry)
    waiting = [entry.backup.label for entry in complete if entry.status != COMPLETE[0]]
    notes = left_out + [
        f"Barman has not seen yet that all WAL of backup {label} is there" for label in waiting
    ]
    return ChosenEntry(entry, picked, graph, tuple(notes))


def _require_restorable(entry: Entry) -> None:
    """Refuse a backup that cannot be restored into a sandbox.

    Raises:
        HarnessError: The backup was made by snapshots of a cloud's disks.
    """
    if "snapshot" in entry.method:
        raise HarnessError(
            f"backup {entry.backup.label} is made of snapshots of a cloud's disks, which no"
            " sandbox can attach",
            hint="restore it there, and drill a backup by pg_basebackup or rsync here.",
        )


def _require_place(entry: Entry) -> None:
    """Refuse an entry that lacks what a restore needs.

    Raises:
        BackupNotRestorable: It does.
    """
    backup = entry.backup
    if backup.server_major is None or not entry.start_file or backup.start_lsn is None:
        raise BackupNotRestorable(
            f"the catalogue does not say of which server backup {backup.label} is, or where"
            " its WAL begins",
            hint="take a new backup.",
        )


def _why_not(entry: Entry) -> str:
    error = f": {entry.error}" if entry.error else ""
    status = entry.status or "of no known status"
    return f"backup {entry.backup.label} is {status} and was not chosen{error}"


def _named(every: Sequence[Entry], wanted: str) -> Entry:
    """Return the entry of the backup that the user names: by its id, or by Barman's backup name.

    CloudNativePG gives each backup the name of its Backup resource. A name may be given twice: the
    newest counts, as for Barman. Source: Barman manual, "backup", option --name.

    Raises:
        BackupNotRestorable: It is not complete.
        HarnessError: It is not there.
    """
    by_id = [entry for entry in every if entry.backup.label == wanted]
    fitting = by_id or [entry for entry in every if entry.name == wanted]
    if not fitting:
        known = [entry.backup.label + (f" ({entry.name})" if entry.name else "") for entry in every]
        raise HarnessError(
            f"backup {wanted} is not in the catalogue",
            hint=f"there are: {', '.join(known) or 'none'}.",
        )
    complete = [entry for entry in fitting if entry.status in COMPLETE]
    if not complete:
        raise BackupNotRestorable(
            f"backup {wanted} is {fitting[-1].status}:"
            f" {fitting[-1].error or 'it was never finished'}",
            hint="name a backup that is DONE, or leave `backup` out.",
        )
    return complete[-1]
