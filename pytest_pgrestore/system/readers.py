"""Who may read a file or a directory that this user may not."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def closed_part(path: Path) -> Path | None:
    """Return the first part of `path` that keeps this user out; None if none does.

    A directory on the way must be entered; `path` itself is read, or listed and entered.
    """
    for part in (*reversed(path.absolute().parents), path.absolute()):
        try:
            is_directory = stat.S_ISDIR(part.stat().st_mode)
        except OSError:
            return None  # it is not there: nobody is kept out of it
        wanted = os.X_OK if is_directory else os.R_OK
        if part == path.absolute() and is_directory:
            wanted |= os.R_OK
        if not os.access(part, wanted, effective_ids=True):
            return part
    return None


def who_may(path: Path) -> str:
    """Return which user and group may read `path`, as a hint: an order without its full stop."""
    entry = path.stat()
    owner, group = str(entry.st_uid), str(entry.st_gid)
    with suppress(KeyError):
        owner = pwd.getpwuid(entry.st_uid).pw_name
    with suppress(KeyError):
        group = grp.getgrgid(entry.st_gid).gr_name
    wanted = stat.S_IXGRP | stat.S_IRGRP if stat.S_ISDIR(entry.st_mode) else stat.S_IRGRP
    if entry.st_mode & wanted == wanted:
        return f"run the drill as user {owner}, or as a member of group {group}"
    mode = "rx" if stat.S_ISDIR(entry.st_mode) else "r"
    return (
        f"run the drill as user {owner}, or let group {group} read it (chmod g+{mode}) and run the"
        " drill as a member of it"
    )
