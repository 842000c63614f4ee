"""What a path is, asked by a user who may not look everywhere: nobody's mistake is an exception."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.who_may_read import who_may_read

if TYPE_CHECKING:
    from pathlib import Path


def is_there(path: Path) -> bool:
    """Return whether a path is there; False if this user may not look, unlike pathlib."""
    return _mode(path) is not None


def is_directory(path: Path) -> bool:
    """Return whether a path is a directory; False if this user may not look."""
    return stat.S_ISDIR(_mode(path) or 0)


def is_open_directory(path: Path) -> bool:
    """Return whether a path is a directory that this user may look into."""
    return is_directory(path) and os.access(path, os.R_OK | os.X_OK)


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file; False if this user may not look."""
    return stat.S_ISREG(_mode(path) or 0)


def require_readable(path: Path) -> None:
    """Refuse a path that this user may not read.

    Raises:
        HarnessError: It is one; the hint says who may.
    """
    wanted = os.R_OK | (os.X_OK if is_directory(path) else 0)
    if not os.access(path, wanted):
        raise HarnessError(f"{path} may not be read by this user", hint=who_may_read(path))


def require_open(directory: Path) -> None:
    """Refuse a directory that is there and may not be entered: what is in it is not known.

    Raises:
        HarnessError: It is one; the hint says who may.
    """
    if is_directory(directory) and not is_open_directory(directory):
        raise HarnessError(
            f"{directory} may not be read by this user", hint=who_may_read(directory)
        )


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except OSError:
        return None
