"""Choosing among the backups that Barman lists: the complete ones, and why not the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.barman.catalogue import COMPLETE
from pytest_pgrestore.sources.selection import Picked, choose, no_backup, pick_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sources.barman.catalogue import Entry


@dataclass(frozen=True, slots=True)
class ChosenEntry:
    """The backup for a target.

    Attributes:
        entry: Its entry of the catalogue.
        picked: The same backup, with the reason.
        notes: Which backups were left out, and for which WAL is missing.
    """

    entry: Entry
    picked: Picked
    notes: tuple[str, ...]


def choose_entry(
    every: Sequence[Entry], target: RecoveryTarget, wanted: str | None, place: str
) -> ChosenEntry:
    """Return the backup for a target.

    Args:
        every: The catalogue, oldest first, with incomplete backups.
        target: Where recovery is to stop.
        wanted: Id of the backup that the user names; None names none.
        place: Path or address of the backups, for the message of an error.

    Raises:
        BackupNotRestorable: There is no complete backup, the named one is not complete, its entry
            lacks what a restore needs, or (TargetUnreachable) the target lies before its end.
        HarnessError: The named one is not there, or was made by snapshots of disks.
    """
    complete = [entry for entry in every if entry.status in COMPLETE]
    left_out = [_why_not(entry) for entry in every if entry.status not in COMPLETE]
    waiting = [entry.backup.label for entry in complete if entry.status != COMPLETE[0]]
    notes = left_out + [
        f"Barman has not seen yet that all WAL of backup {label} is there" for label in waiting
    ]
    if wanted is not None:
        entry = _named(every, wanted, target)
        picked = Picked(entry.backup, "named in the settings")
    elif not complete:
        raise no_backup(place, left_out)
    else:
        picked = pick_for([entry.backup for entry in complete], target, None)
        entry = next(entry for entry in complete if entry.backup is picked.backup)
    _require_restorable(entry)
    return ChosenEntry(entry, picked, tuple(notes))


def _require_restorable(entry: Entry) -> None:
    """Refuse a backup that cannot be restored into a sandbox.

    Raises:
        BackupNotRestorable: The entry lacks what a restore needs.
        HarnessError: The backup was made by snapshots of a cloud's disks.
    """
    if "snapshot" in entry.method:
        raise HarnessError(
            f"backup {entry.backup.label} is made of snapshots of a cloud's disks, which no"
            " sandbox can attach",
            hint="restore it there, and drill a backup by pg_basebackup or rsync here.",
        )
    if entry.backup.server_major is None or not entry.start_file:
        raise BackupNotRestorable(
            f"the catalogue does not say of which server backup {entry.backup.label} is, or where"
            " its WAL begins",
            hint="take a new backup.",
        )


def _why_not(entry: Entry) -> str:
    error = f": {entry.error}" if entry.error else ""
    status = entry.status or "of no known status"
    return f"backup {entry.backup.label} is {status} and was not chosen{error}"


def _named(every: Sequence[Entry], wanted: str, target: RecoveryTarget) -> Entry:
    """Return the entry of the backup that the user names."""
    for entry in every:
        if wanted != entry.backup.label:
            continue
        if entry.status not in COMPLETE:
            raise BackupNotRestorable(
                f"backup {wanted} is {entry.status}: {entry.error or 'it was never finished'}",
                hint="name a backup that is DONE, or leave `backup` out.",
            )
        choose([entry.backup], target)  # raises if the target lies before its end
        return entry
    raise HarnessError(
        f"backup {wanted} is not in the catalogue",
        hint=f"there are: {', '.join(entry.backup.label for entry in every) or 'none'}.",
    )
