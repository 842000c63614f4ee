"""Which files are of a library, and not of the user's."""

from __future__ import annotations

from sysconfig import get_path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_INSTALLED = {"site-packages", "dist-packages"}
"""Directories of installed packages; Debian has the second one."""


def is_of_a_library(path: Path) -> bool:
    """Return whether a file is of an installed package, or of Python itself.

    The user's files need not be below pytest's root directory: --rootdir may be elsewhere.
    """
    if not _INSTALLED.isdisjoint(path.parts):
        return True
    return any(path.is_relative_to(get_path(name)) for name in ("stdlib", "platstdlib"))
