"""A directory that keeps a restored backup for pgBackRest's ``--delta``.

The directory must be ours alone: ``--delta`` removes files that are not in the backup. No server
runs in it. A drill copies its files, so the directory stays equal to the backup, and the next
``--delta`` fetches only what has changed. Source: pgBackRest configuration reference, "delta".
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.trees import copy_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox

MARKER = "kept-by-pgrestore.txt"
_MARKER_TEXT = """\
A copy of production. pytest-pgrestore keeps it because a source of pgrestore.toml names this
directory as `delta`. In each drill of that source pgBackRest changes and removes files here.
Remove the directory to remove the copy.
"""

UNTIMED = "`delta` restores onto what an earlier drill left behind, which a disaster would not have"


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept restore.

    Args:
        directory: Its path; the parent must exist.
    """

    directory: Path

    @property
    def data(self) -> Path:
        """Path of its data directory."""
        return self.directory / "data"

    @property
    def tablespaces(self) -> Path:
        """Path of the directory that has a directory for each tablespace, named by its OID."""
        return self.directory / "tablespaces"

    def claim(self) -> None:
        """Make the directory, or check that it is one of ours.

        Raises:
            HarnessError: It belongs to another user, holds other files, others can read it, or it
                cannot be made.
        """
        try:
            self.directory.mkdir(mode=0o700, exist_ok=True)
            own = self.directory.stat().st_uid == os.geteuid()
            if own and not any(self.directory.iterdir()):
                self.directory.chmod(0o700)
                (self.directory / MARKER).write_text(_MARKER_TEXT)
            ours = (self.directory / MARKER).is_file()
            private = not self.directory.stat().st_mode & 0o077
        except OSError as exc:
            raise HarnessError(
                f"{self.directory} for `delta` cannot be used: {exc.strerror}",
                hint="name a directory whose parent is there, and that this user may write.",
            ) from None
        self._require_usable(own=own, ours=ours, private=private)

    def _require_usable(self, *, own: bool, ours: bool, private: bool) -> None:
        if not own:
            raise HarnessError(
                f"{self.directory} for `delta` belongs to another user, and a copy of production"
                " would stay in it",
                hint="name a directory of the user who runs pytest, or one that is not there yet.",
            )
        if not ours:
            raise HarnessError(
                f"{self.directory} holds files that are not ours, and --delta removes what it does"
                " not know",
                hint="name a new or an empty directory in `delta`.",
            )
        if not private:
            raise HarnessError(
                f"{self.directory} holds a copy of production, and others may read it",
                hint=f"look who did, then chmod 700 {self.directory}.",
            )

    @contextmanager
    def held(self, timeout_seconds: float) -> Iterator[None]:
        """Hold a lock against other drills while pgBackRest writes and the copy is made.

        Args:
            timeout_seconds: How long to wait for another drill.

        Raises:
            HarnessError: Another drill did not finish in time.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.directory / ".lock")
        try:
            lock.acquire(timeout=timeout_seconds)
        except Timeout:
            raise HarnessError(
                f"another drill has used {self.directory} for {timeout_seconds:g} s",
                hint="wait for it, or give each source a `delta` of its own.",
            ) from None
        try:
            for place in (self.data, self.tablespaces):
                place.mkdir(mode=0o700, exist_ok=True)
            yield
        finally:
            lock.release()

    def make_tablespaces(self, wanted: set[str]) -> None:
        """Make a directory for each OID in `wanted`, and remove all others."""
        for place in self.tablespaces.iterdir():
            if place.name not in wanted:
                shutil.rmtree(place)
        for name in wanted:
            (self.tablespaces / name).mkdir(mode=0o700, exist_ok=True)

    def copy_into(self, sandbox: Sandbox) -> None:
        """Copy the restore to the sandbox; the links there lead to its own tablespaces."""
        copy_tree(self.data, sandbox.data)
        for place in self.tablespaces.iterdir():
            into = sandbox.tablespaces / place.name
            into.mkdir(mode=0o700)
            copy_tree(place, into)
            link = sandbox.data / "pg_tblspc" / place.name
            link.unlink()
            link.symlink_to(into)
