"""Choosing among the backups that pgBackRest lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.selection import no_backup, pick_for

if TYPE_CHECKING:
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sources.pgbackrest.catalogue import Catalogue, Entry
    from pytest_pgrestore.sources.selection import Picked


def choose_entry(
    found: Catalogue, target: RecoveryTarget, wanted: str | None, place: str
) -> tuple[Picked, Entry]:
    """Return the backup for a target, and its entry.

    Args:
        found: The catalogue.
        target: Where recovery is to stop.
        wanted: Label of the backup that the user names; None names none.
        place: The repository and the stanza, for the message of an error.

    Raises:
        BackupNotRestorable: There is no backup, its entry lacks what a restore needs, or
            (TargetUnreachable) the target lies before its end.
        HarnessError: The named backup is not in the catalogue.
    """
    if not found.entries:
        raise no_backup(place)
    picked = pick_for([entry.backup for entry in found.entries], target, wanted)
    entry = next(entry for entry in found.entries if entry.backup is picked.backup)
    if picked.backup.server_major is None or not entry.start_file:
        # pgBackRest stores no WAL start for a backup with --no-online.
        raise BackupNotRestorable(
            f"the catalogue does not say of which server backup {picked.backup.label} is,"
            " or where its WAL begins",
            hint="take a new backup, online and with archiving on.",
        )
    return picked, entry
