"""Reading WAL-G's catalogue: its backups, the sentinel of each backup, and the names of its WAL.

Source: WAL-G 3.0.9, docs/PostgreSQL.md ("backup-list") and docs/StorageTools.md ("st ls", "st
cat").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.wal.stored_wal import StoredWal
from pytest_pgrestore.sources.walg.answers import (
    Entry,
    Sentinel,
    entries_in,
    files_in,
    listed_in,
    sentinel_in,
)
from pytest_pgrestore.sources.walg.messages import failed

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_pgrestore.sources.backup_tool import BackupTool

_CATALOGUE_SECONDS = 120.0
"""WAL-G retries without a message if a store does not answer."""


def read(tool: BackupTool, location: str) -> list[Entry]:
    """Return the catalogue, oldest first.

    Raises:
        HarnessError: The storage cannot be read, or WAL-G is too old.
    """
    done = tool.run(
        "catalogue", "backup-list", "--detail", "--json", timeout_seconds=_CATALOGUE_SECONDS
    )
    if done.status != 0:
        raise failed(done, "the catalogue could not be read")
    return entries_in(done.stdout, location)


def sentinel(tool: BackupTool, label: str) -> Sentinel:
    """Return the sentinel of backup `label`.

    Raises:
        BackupNotRestorable: It is missing or damaged.
        HarnessError: The storage cannot be read.
    """
    done = tool.run(
        "catalogue", "st", "cat", f"basebackups_005/{label}_backup_stop_sentinel.json", quiet=True
    )
    if done.status != 0:
        raise failed(done, f"the sentinel of backup {label} could not be read")
    return sentinel_in(done.stdout, label)


def files_of(tool: BackupTool, label: str) -> list[str] | None:
    """Return the files of backup `label`, relative to the data directory; None if it has no list.

    Raises:
        HarnessError: The storage cannot be read.
    """
    done = tool.run(
        "catalogue", "st", "cat", f"basebackups_005/{label}/files_metadata.json", quiet=True
    )
    if done.status != 0:
        error = failed(done, f"the list of files of backup {label} could not be read")
        if isinstance(error, BackupNotRestorable):
            return None  # taken with --without-files-metadata
        raise error
    return files_in(done.stdout, label)


def chain_of(
    tool: BackupTool, label: str, found: Sentinel, known: Collection[str]
) -> tuple[str, ...]:
    """Return the labels of the backups that `label` builds on, the full one first.

    Args:
        tool: WAL-G.
        label: Of the backup.
        found: Its sentinel.
        known: Labels of the catalogue.

    Raises:
        BackupNotRestorable: One of them is not in the catalogue.
    """
    chain: list[str] = []
    while (parent := found.parent) and parent not in chain:
        if parent not in known:
            child = chain[0] if chain else label
            raise BackupNotRestorable(
                f"backup {child} is a delta to {parent}, which is not in the catalogue",
                hint="keep every backup of a chain, back to the full one; take a new full backup.",
            )
        chain.insert(0, parent)
        found = sentinel(tool, parent)
    return tuple(chain)


def stored_wal(tool: BackupTool) -> StoredWal:
    """Return the WAL of the storage.

    Raises:
        HarnessError: It cannot be read.
    """
    done = tool.run("repository", "st", "ls", "-r", "wal_005", quiet=True)
    if done.status != 0:
        raise failed(done, "the archive could not be listed")
    segments, names = listed_in(done.stdout)
    histories = {
        timeline: _history(tool, match[0], compressed=bool(match[2]))
        for timeline, match in names.items()
    }
    return StoredWal(segments=segments, histories=histories)


def _history(tool: BackupTool, name: str, *, compressed: bool) -> str:
    flags = ("--decompress",) if compressed else ()
    # WAL is encrypted if a key is configured. Without a key --decrypt is an error, so try both.
    done = tool.run("repository", "st", "cat", f"wal_005/{name}", "--decrypt", *flags)
    if done.status != 0:
        done = tool.run("repository", "st", "cat", f"wal_005/{name}", *flags)
    if done.status != 0:
        raise failed(done, f"{name} could not be read")
    return done.stdout
