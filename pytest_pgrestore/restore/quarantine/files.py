"""Files of the copy, made harmless before a server reads them: moved, emptied, links refused."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
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
    # First, because a link in place of a directory would lead what follows out of the copy.
    _refuse_links_that_leave(sandbox)
    # The server reads it even when config_file points elsewhere (ProcessConfigFileInternal in
    # PostgreSQL's source), so it is there and empty.
    make_empty(sandbox.data, "postgresql.auto.conf")
    # Slots keep WAL, or are FATAL where wal_level does not fit. pg_basebackup leaves them out
    # (docs, "Making a Base Backup Using the Low Level API"); snapshots of a disk have them.
    _make_empty_folder(sandbox.data, "pg_replslot")
    make_empty(sandbox.data, "recovery.signal")
    # The server refuses a directory that others may read (checkDataDir in miscinit.c).
    sandbox.data.chmod(0o700)
    return moved


def make_empty(folder: Path, name: str) -> None:
    """Put an empty file called `name` into `folder`, in place of whatever has that name there.

    It gets the owner of `folder`. No link is followed: what has run in the copy may have made it.

    Raises:
        OSError: A directory has that name, or somebody was faster.
    """
    with _opened(folder) as directory:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            _give(file, os.fstat(directory))
        finally:
            os.close(file)


def _make_empty_folder(folder: Path, name: str) -> None:
    """Put an empty directory called `name` into `folder`, in place of what has that name there."""
    with _opened(folder) as directory:
        try:
            # It works by descriptors, and refuses a link (docs of Python, "shutil.rmtree").
            shutil.rmtree(name, dir_fd=directory)
        except FileNotFoundError:
            pass
        except OSError:
            os.unlink(name, dir_fd=directory)
        os.mkdir(name, 0o700, dir_fd=directory)
        with _opened(Path(name), directory) as made:
            _give(made, os.fstat(directory))


@contextmanager
def _opened(folder: Path, parent: int | None = None) -> Iterator[int]:
    """Open a directory that is no link, to work below it by descriptor."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder, flags, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _give(descriptor: int, like: os.stat_result) -> None:
    """Make the owner of `like` the owner of an open file."""
    if like.st_uid != os.geteuid():
        os.fchown(descriptor, like.st_uid, like.st_gid)


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
