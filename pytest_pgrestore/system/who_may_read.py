"""Who may read a path that this process may not: its owner, its group, in words for a hint."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path


def who_may_read(path: Path) -> str:
    """Return what to do so that the user who runs pytest can read `path`, as a sentence.

    It is about the first directory on the way that may not be entered, or about `path` itself.
    """
    for place in [*reversed(path.absolute().parents), path.absolute()]:
        try:
            found = place.stat()
        except OSError:
            break
        wanted = os.R_OK if place == path.absolute() else os.X_OK
        if not os.access(place, wanted):
            return _advice(place, found)
    return f"let the user who runs pytest read {path}."


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
