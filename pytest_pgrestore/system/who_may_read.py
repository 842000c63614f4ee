"""Who may read a path that this process may not: its owner, its group, in words for a hint."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from pathlib import Path

_PATH = re.compile(r"(?:^|[\s'\"])(/[^\s'\":]{1,1000})")
"""An absolute path in a message, perhaps in quotes, perhaps with a colon behind it."""

_LONGEST_TEXT = 10_000
"""Characters of a message that are searched."""


def who_may_read(path: Path) -> str:
    """Return what to do so that the user who runs pytest can read `path`, as a sentence.

    It is about the first directory on the way that may not be entered, or about `path` itself.
    """
    place = _obstacle(path.absolute())
    if place is None:
        return f"let the user who runs pytest read {path}."
    return _advice(*place)


def advice_in(text: str, otherwise: str) -> str:
    """Return the advice about the first path in a tool's message that may not be read.

    Args:
        text: The message. Its author may be the backup's: a path in it is only looked at.
        otherwise: The advice if there is none.
    """
    for match in _PATH.finditer(text[:_LONGEST_TEXT]):
        place = _obstacle(Path(match[1]))
        if place is not None:
            return _advice(*place)
    return otherwise


def _obstacle(path: Path) -> tuple[Path, os.stat_result] | None:
    """Return the first directory on the way that may not be entered, or `path` itself."""
    for place in [*reversed(path.parents), path]:
        try:
            found = place.stat()
        except (OSError, ValueError):
            return None
        wanted = os.R_OK if place == path else os.X_OK
        if not os.access(place, wanted):
            return place, found
    return None


def _advice(place: Path, found: os.stat_result) -> str:
    owner, mode = _user(found.st_uid), stat.S_IMODE(found.st_mode)
    by_group = mode & (stat.S_IXGRP if stat.S_ISDIR(found.st_mode) else stat.S_IRGRP)
    # Nobody should be added to the group of root.
    if by_group and found.st_gid != 0:
        return (
            f"group {_group(found.st_gid)!r} may read {place}: add the user who runs pytest to that"
            f" group, or run pytest as {owner!r}."
        )
    return f"only {owner!r} may read {place}: run pytest as {owner!r}, or give the file a group."


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
