"""Disk space of a base backup: where it is stored, and when it is restored."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory

_COMPRESSED_GROWTH = 4
"""Assumed size of a cluster relative to its compressed tar, if no manifest has the real size."""


def stored_bytes(directory: BackupDirectory) -> int:
    """Return the size of the stored backup, in bytes; what cannot be read counts as nothing."""
    if directory.manifest is not None and not directory.tar:
        return directory.manifest.size_bytes
    found = 0
    for folder, folders, files in os.walk(directory.path):
        if directory.tar:
            folders.clear()
        for name in files:
            with suppress(OSError):
                found += os.lstat(f"{folder}/{name}").st_size
    return found


def needed_bytes(chain: Sequence[BackupDirectory], wal_bytes: int) -> int:
    """Return an estimate of the disk space a restore needs.

    Args:
        chain: The backups that are restored together, the full one first.
        wal_bytes: Size of the WAL that is staged.
    """
    sizes = [_restored_bytes(directory) for directory in chain]
    unpacked = 0
    if len(chain) > 1:
        # pg_combinebackup reads plain directories, so tars are unpacked first.
        unpacked = sum(size for directory, size in zip(chain, sizes, strict=True) if directory.tar)
    # A combined backup is about as large as the full one.
    return max(sizes) + unpacked + wal_bytes


def _restored_bytes(directory: BackupDirectory) -> int:
    """Return the size of the restored files; an estimate for a compressed tar without manifest."""
    if directory.manifest is not None:
        return directory.manifest.size_bytes
    growth = 1 if directory.form in {"plain", "tar"} else _COMPRESSED_GROWTH
    return stored_bytes(directory) * growth
