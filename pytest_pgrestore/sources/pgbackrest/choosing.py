"""Choosing among the backups that pgBackRest lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtTime, Immediate, Latest
from pytest_pgrestore.sources.selection import no_backup, pick_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sources.pgbackrest.entries import Catalogue, Entry
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
        BackupNotRestorable: There is no backup, none of production's cluster, its entry lacks what
            a restore needs, or (TargetUnreachable) the target lies before its end.
        HarnessError: The named backup is not in the catalogue.
    """
    if not found.entries:
        raise no_backup(place)
    if wanted is None and isinstance(target, Latest | Immediate):
        _require_backup_of_production(found, place)
    picked, entry = _pick(found, target, wanted)
    if picked.backup.server_major is None:
        raise BackupNotRestorable(
            f"the catalogue does not say of which server backup {picked.backup.label} is",
            hint="take a new backup.",
        )
    return picked, entry


def _require_backup_of_production(found: Catalogue, place: str) -> None:
    """Refuse to restore an older cluster where production is another one.

    ``pgbackrest restore`` does it without a word: it takes the newest backup of the stanza, of
    whichever cluster (command reference, "Restore Command", option set).

    Raises:
        BackupNotRestorable: Production's cluster has no backup.
    """
    production, newest = found.production, found.entries[-1]
    if production is None or any(entry.cluster == production.number for entry in found.entries):
        return
    archived = f" and has archived WAL up to {production.archived}" if production.archived else ""
    raise BackupNotRestorable(
        f"production has no backup: since `stanza-upgrade` the stanza is that of system identifier"
        f" {production.identity}{archived}, and the newest backup of {place},"
        f" {newest.backup.label}, is of system identifier {newest.backup.system_identifier}",
        hint="take a full backup now (pgbackrest --type=full backup). To drill the old cluster,"
        " name its backup in `backup`.",
    )


def _pick(found: Catalogue, target: RecoveryTarget, wanted: str | None) -> tuple[Picked, Entry]:
    """Return the result of `pick_for`, and its entry.

    A position, a transaction and a name mean something in one cluster only. So the newest cluster
    with a backup that fits is the one meant; a time means the same in all of them.
    """
    if wanted is not None or isinstance(target, AtTime):
        return _picked(found.entries, target, wanted)
    groups = _by_cluster(found.entries)
    for entries in groups[:-1]:
        try:
            return _picked(entries, target, None)
        except TargetUnreachable:
            continue
    return _picked(groups[-1], target, None)


def _by_cluster(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the backups of each cluster, the newest cluster first."""
    numbers = sorted({entry.cluster for entry in entries}, reverse=True)
    return [[entry for entry in entries if entry.cluster == number] for number in numbers]


def _picked(
    entries: Sequence[Entry], target: RecoveryTarget, wanted: str | None
) -> tuple[Picked, Entry]:
    candidates = entries
    if wanted is None and isinstance(target, AtLsn):
        # No position of a backup of a stopped server is known.
        candidates = [entry for entry in entries if entry.start_file] or entries
    picked = pick_for([entry.backup for entry in candidates], target, wanted)
    return picked, next(entry for entry in candidates if entry.backup is picked.backup)


def other_cluster_words(found: Catalogue, entry: Entry) -> list[str]:
    """Return a note where the chosen backup is not of production's cluster."""
    production = found.production
    if production is None or entry.cluster == production.number:
        return []
    label, identity = entry.backup.label, entry.backup.system_identifier
    words = f"backup {label} is of system identifier {identity}; production is"
    return [f"{words} {production.identity} since `stanza-upgrade`"]
