"""Choosing among the backups that Barman lists: those that are complete, and why not the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.barman.catalogue import COMPLETE
from pytest_pgrestore.sources.selection import choose, no_backup, other_candidates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.protocol import LocateRequest


def choose_entry(
    every: Sequence[Entry], wanted: str | None, request: LocateRequest, place: str
) -> tuple[Entry, str, list[str]]:
    """Return the backup for a request, why, and what was left out.

    Args:
        every: The catalogue, oldest first, bad ones too.
        wanted: Its id, where the user names one.
        request: What was asked.
        place: Where they lie, in words.

    Raises:
        BackupNotRestorable: There is no complete one, or the one that is named is not.
        HarnessError: The one that is named is not there.
    """
    complete = [entry for entry in every if entry.status in COMPLETE]
    left_out = [_why_not(entry) for entry in every if entry.status not in COMPLETE]
    waiting = [entry.backup.label for entry in complete if entry.status != COMPLETE[0]]
    notes = left_out + [
        f"Barman has not seen yet that all WAL of backup {label} is there" for label in waiting
    ]
    if wanted is not None:
        return _named(every, wanted, request), "named in the settings", notes
    if not complete:
        raise no_backup(place, left_out)
    backup, selection = choose([entry.backup for entry in complete], request.target)
    return next(entry for entry in complete if entry.backup is backup), selection, notes


def other_candidates_of(
    every: Sequence[Entry], chosen: Entry, request: LocateRequest, wanted: str | None
) -> tuple[str, ...]:
    """Return the older complete backups that may reach a target which the chosen one does not."""
    complete = [entry.backup for entry in every if entry.status in COMPLETE]
    return other_candidates(complete, chosen.backup, request.target, wanted)


def require_restorable(entry: Entry) -> None:
    """Refuse what cannot be restored into a sandbox.

    Raises:
        BackupNotRestorable: The catalogue does not tell what a restore takes.
        HarnessError: It is made of snapshots of a cloud's disks.
    """
    if "snapshot" in entry.method:
        raise HarnessError(
            f"backup {entry.backup.label} is made of snapshots of a cloud's disks, which no sandbox can attach",
            hint="restore it there, and drill a backup by pg_basebackup or rsync here.",
        )
    if entry.backup.server_major is None or not entry.start_file:
        raise BackupNotRestorable(
            f"the catalogue does not say of which server backup {entry.backup.label} is, or where its WAL begins",
            hint="take a new backup.",
        )


def _why_not(entry: Entry) -> str:
    error = f": {entry.error}" if entry.error else ""
    return f"backup {entry.backup.label} is {entry.status or 'of no known status'} and was not chosen{error}"


def _named(every: Sequence[Entry], wanted: str, request: LocateRequest) -> Entry:
    for entry in every:
        if wanted != entry.backup.label:
            continue
        if entry.status not in COMPLETE:
            raise BackupNotRestorable(
                f"backup {wanted} is {entry.status}: {entry.error or 'it was never finished'}",
                hint="name a backup that is DONE, or leave `backup` out.",
            )
        choose([entry.backup], request.target)  # refuses a target that lies before its end
        return entry
    raise HarnessError(
        f"backup {wanted} is not in the catalogue",
        hint=f"there are: {', '.join(entry.backup.label for entry in every) or 'none'}.",
    )
