"""How much a backup may write into the sandbox: as much as it says, and as the disk has."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.basebackup.manifest import Manifest

_UNLISTED_BYTES = 64 << 20
"""What a manifest leaves out: itself, and the settings that ``--write-recovery-conf`` adds.

Source: src/bin/pg_verifybackup/pg_verifybackup.c, ignore list in main.
"""

_KEEP_FREE_BYTES = 64 << 20
"""Bytes of the disk that are left: other programs stop when it is full."""

_LOOK_BYTES = 256 << 20
"""After so many bytes the free space is read again: other drills use it too."""


class Budget:
    """The bytes that one backup may still write. Several threads use it.

    Args:
        place: Directory on the file system of the sandbox.
        manifest: The backup's manifest, which lists the files with their sizes, or None.
        name: Of the backup, for messages.
    """

    def __init__(self, place: Path, manifest: Manifest | None, name: str) -> None:
        self._place = place
        self._name = name
        self._listed = None if manifest is None else manifest.size_bytes + _UNLISTED_BYTES
        self._written = 0
        self._left = 0
        self._lock = threading.Lock()

    def take(self, size_bytes: int, *, listed: bool = True) -> None:
        """Take a file of `size_bytes` out of the budget, before it is written.

        Args:
            size_bytes: Its size.
            listed: Whether a manifest lists files of its kind. It does not list WAL.

        Raises:
            BackupNotRestorable: The files are larger than those that the manifest lists.
            HarnessError: The disk has no room for it.
        """
        with self._lock:
            if listed:
                self._written += size_bytes
                if self._listed is not None and self._written > self._listed:
                    raise BackupNotRestorable(
                        f"backup {self._name} unpacks to {self._written:,} bytes or more, and its"
                        " manifest lists fewer",
                        hint="the tars are not those of this manifest: find out what wrote them.",
                    )
            self._left -= size_bytes
            if self._left < 0:
                self._look(size_bytes)

    def _look(self, size_bytes: int) -> None:
        """Read the free space again, and keep what can be used until the next look."""
        free = shutil.disk_usage(self._place).free - _KEEP_FREE_BYTES
        if size_bytes > free:
            raise HarnessError(
                f"backup {self._name} has a file of {size_bytes:,} bytes, and {self._place} has"
                f" {max(free, 0):,} free for it",
                hint="free the disk or set sandbox.directory to a larger one; but find out first"
                " whether the backup is that large.",
            )
        self._left = min(free - size_bytes, _LOOK_BYTES)
