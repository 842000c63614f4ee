"""Chains of incremental backups: who depends on whom, told by the start positions in their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sources.backupdir import BackupDirectory


def _ancestors(directory: BackupDirectory, by_start: Mapping[Lsn, BackupDirectory]) -> list[BackupDirectory | None]:
    """Return the backups `directory` is incremental to, the nearest first; None for one that is not there."""
    found: list[BackupDirectory | None] = []
    here: BackupDirectory | None = directory
    while here is not None and here.parent_lsn is not None:
        here = by_start.get(here.parent_lsn)
        found.append(here)
    return found


def by_start_position(directories: Iterable[BackupDirectory]) -> dict[Lsn, BackupDirectory]:
    """Return the backups by where they start, which is how a child names its parent."""
    return {directory.start_lsn: directory for directory in directories if directory.start_lsn is not None}


def labels(directory: BackupDirectory, by_start: Mapping[Lsn, BackupDirectory]) -> tuple[str, ...]:
    """Return the labels of its chain, the full one first; a broken chain matters only when this one is chosen."""
    return tuple(found.path.name for found in reversed(_ancestors(directory, by_start)) if found is not None)


def resolve(directory: BackupDirectory, directories: Iterable[BackupDirectory]) -> tuple[BackupDirectory, ...]:
    """Return the whole chain, the full backup first and `directory` last.

    Raises:
        BackupNotRestorable: A parent is missing.
    """
    ancestors = _ancestors(directory, by_start_position(directories))
    whole = [found for found in reversed(ancestors) if found is not None]
    if len(whole) < len(ancestors):
        child = whole[0] if whole else directory
        raise BackupNotRestorable(
            f"incremental backup {child.path.name} is worth nothing without its parent, the backup that starts at"
            f" {child.parent_lsn}",
            hint="keep the full backup and every incremental one after it, or take a full one now.",
        )
    return (*whole, directory)
