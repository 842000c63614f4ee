"""The directory that holds every run of one user, in a place that other users may write to."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from pytest_pgrestore.system.account import Account


def base_directory(parent: Path | None, account: Account) -> Path:
    """Return the directory that holds all runs of this user. It is made on first use.

    Other users may write to its parent, so a directory of that name may be theirs: it is refused.

    Raises:
        HarnessError: It cannot be made, belongs to another user, or `account` cannot enter it.
    """
    parent = parent or temporary_directory()
    base = parent / f"pgrestore-{os.geteuid()}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        _require_own(base, 0o711 if account.drop else 0o700)
    except OSError as exc:
        raise HarnessError(
            f"could not make {base}: {exc.strerror}",
            hint=f"let {parent} be a directory that can be written, or name one in"
            " sandbox.directory.",
        ) from exc
    if account.drop:
        require_traversable(parent, account)
    return base


def require_proc() -> None:
    """Check that /proc is there, as on every Linux: what belongs to a run is found in it.

    Raises:
        HarnessError: It is not mounted.
    """
    if sys.platform == "linux" and not Path("/proc/self/stat").exists():
        raise HarnessError(
            "/proc is not mounted here, and the processes of a copy cannot be found without it",
            hint="mount it (mount -t proc proc /proc), or run pytest where it is mounted.",
        )


def temporary_directory() -> Path:
    """Return the system's temporary directory.

    Raises:
        HarnessError: TMPDIR, TEMP or TMP names a place that cannot be used. `tempfile` would take
            another place without a word: a copy of production could fill a disk not meant for it.
    """
    chosen = Path(tempfile.gettempdir())
    for variable in ("TMPDIR", "TEMP", "TMP"):
        wanted = os.environ.get(variable)
        if not wanted:
            continue
        if not _is_same(Path(wanted), chosen):
            raise HarnessError(
                f"{variable} is {wanted}, and no file can be written there",
                hint=f"make that directory, correct {variable}, or set sandbox.directory.",
            )
        break
    return chosen


def _is_same(wanted: Path, chosen: Path) -> bool:
    """Return whether both are one directory, however it is spelled (``/tmp/../var/tmp``)."""
    try:
        return wanted.samefile(chosen)
    except OSError:
        return False


def _require_own(base: Path, mode: int) -> None:
    """Check that `base` is a directory of ours and no link, and set its mode; by descriptor."""
    try:
        place = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as exc:
        if exc.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EACCES):
            raise
        place = -1
    try:
        if place < 0 or os.fstat(place).st_uid != os.geteuid():
            raise HarnessError(
                f"{base} belongs to somebody else",
                hint="remove it, or set sandbox.directory to a place of your own.",
            )
        os.fchmod(place, mode)
    finally:
        if place >= 0:
            os.close(place)


def require_traversable(parent: Path, account: Account) -> None:
    """Check that `account` can enter `parent`.

    Raises:
        HarnessError: It, or a directory above it, is closed to other users.
    """
    closed = [
        folder
        for folder in (parent, *parent.resolve().parents)
        if not folder.stat().st_mode & stat.S_IXOTH
    ]
    if closed:
        raise HarnessError(
            f"user {account.name}, which the server runs as, cannot enter {closed[0]}",
            hint="set sandbox.directory to a place every user can enter, such as /var/tmp.",
        )
