"""Files of the copy, made harmless before a server reads them: moved, emptied, links refused."""

from __future__ import annotations

import os
import shutil
from itertools import chain, dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.sandboxes.protocol import Sandbox

CARRIED_FILES = (
    # With it the server stays a standby. It wins over recovery.signal (docs, "Archive Recovery").
    "standby.signal",
    "recovery.signal",
    # FATAL since 12: "using recovery command file "recovery.conf" is not supported".
    "recovery.conf",
    # Docs, "Making a Base Backup Using the Low Level API": neither belongs into a backup.
    "postmaster.pid",
    "postmaster.opts",
    # An invalid value in a configuration file is FATAL, even of a setting that the command line
    # overrides; `data_directory` in it beats -D.
    "postgresql.auto.conf",
    "postgresql.conf",
    # The sandbox has its own, at other paths.
    "pg_hba.conf",
    "pg_ident.conf",
)
"""Files of the copy that would steer the server. None of them is wanted."""

ATTIC = "carried"
"""Directory of the sandbox they are moved to."""


def sanitise(sandbox: Sandbox) -> list[str]:
    """Make the copied files harmless, in place; return the names of those moved away.

    Keeps ``backup_label``. Without it a server opens the copy as after a crash, with wrong rows
    and no message (PostgreSQL's own test: src/test/recovery/t/042_low_level_backup.pl).

    Raises:
        BackupNotRestorable: A link in the data directory leaves the sandbox.
    """
    moved = _move_carried_files(sandbox)
    # Before anything is written or removed: it would happen where a link leads.
    _refuse_links_that_leave(sandbox)
    # The server reads it even when config_file points elsewhere (ProcessConfigFileInternal in
    # PostgreSQL's source), so it is there and empty.
    (sandbox.data / "postgresql.auto.conf").write_text("")
    # Slots keep WAL, or are FATAL where wal_level does not fit. pg_basebackup leaves them out
    # (docs, "Making a Base Backup Using the Low Level API"); snapshots of a disk have them.
    _empty(sandbox.data / "pg_replslot")
    (sandbox.data / "recovery.signal").write_text("")
    for name in ("postgresql.auto.conf", "recovery.signal", "pg_replslot"):
        sandbox.adopt(sandbox.data / name)
    # The server refuses a directory that others may read (checkDataDir in miscinit.c).
    sandbox.data.chmod(0o700)
    return moved


def _move_carried_files(sandbox: Sandbox) -> list[str]:
    attic = sandbox.root / ATTIC
    attic.mkdir(mode=0o700)
    moved = []
    for name in CARRIED_FILES:
        path = sandbox.data / name
        if path.exists() or path.is_symlink():
            path.rename(attic / name)
            moved.append(name)
    return moved


def _empty(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _refuse_links_that_leave(sandbox: Sandbox) -> None:
    for path in _links_below(sandbox.data, sandbox.tablespaces):
        # The text of the link counts, not where it leads from here: the sandbox may have another
        # view of the file system.
        target = Path(os.path.normpath(path.parent / path.readlink()))
        if sandbox.root not in target.parents or _goes_up_later(path.readlink()):
            raise BackupNotRestorable(
                f"the copy's {path.relative_to(sandbox.root)} is a link to {path.readlink()},"
                " outside the sandbox",
                hint="a server started on it would write there: back the linked directory up as a"
                " tablespace.",
            )


def _goes_up_later(link: Path) -> bool:
    """Return whether ``..`` follows a name in a link.

    The name may be a link itself. Then its parent is elsewhere than the text says.
    """
    names = [part for part in link.parts if part != link.anchor]
    return ".." in dropwhile(lambda part: part == "..", names)


def _links_below(*places: Path) -> Iterator[Path]:
    for folder, folders, files in chain.from_iterable(os.walk(place) for place in places):
        for name in (*folders, *files):
            path = Path(folder) / name
            if path.is_symlink():
                yield path
