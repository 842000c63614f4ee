"""The user that runs the server and its tools.

PostgreSQL refuses to run as root (src/backend/main/main.c, `check_root`; initdb.c, `get_id`), so
root changes to an unprivileged user.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError, HarnessError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_USER = "nobody"
"""Not `postgres`: on a database host that user owns the files of production."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system.

    Attributes:
        name: Login name.
        uid: Numeric user.
        gid: Its primary group.
        drop: Whether we must change to this user; only root can.
    """

    name: str
    uid: int
    gid: int
    drop: bool

    def popen_arguments(self) -> dict[str, Any]:
        """Return the identity arguments of `subprocess.Popen`; empty when no change is needed."""
        if not self.drop:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Make this user the owner of `path`; a link itself, not its target."""
        if self.drop:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_tree(self, path: Path) -> None:
        """Make this user the owner of `path` and of everything below it.

        Directories are entered by descriptor, and a link is never followed, so nobody who can write
        in the tree can lead us out of it.

        Raises:
            NotADirectoryError: `path` became a link meanwhile.
        """
        if not self.drop:
            return
        self.own(path)
        if path.is_symlink() or not path.is_dir():
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for _, folders, files, inside in os.fwalk(dir_fd=descriptor):
                for name in (*folders, *files):
                    os.chown(name, self.uid, self.gid, dir_fd=inside, follow_symlinks=False)
        finally:
            os.close(descriptor)


def server_account(wanted: str | None = None) -> Account:
    """Return the user PostgreSQL runs as.

    That is the caller. If the caller is root, it is `wanted` (default: nobody).

    Raises:
        ConfigError: `wanted` is root, or the caller is neither root nor `wanted`.
        HarnessError: No such user.
    """
    return _caller(wanted) if os.geteuid() != 0 else _unprivileged(wanted or DEFAULT_USER)


def _caller(wanted: str | None) -> Account:
    me = pwd.getpwuid(os.geteuid())
    if wanted is not None and wanted != me.pw_name:
        raise ConfigError(
            f"sandbox.user is {wanted!r}, but the run belongs to {me.pw_name!r}",
            hint="leave sandbox.user out: only root can change to another user.",
        )
    return Account(me.pw_name, me.pw_uid, me.pw_gid, drop=False)


def _unprivileged(name: str) -> Account:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise HarnessError(
            f"there is no user {name!r} to run PostgreSQL as",
            hint="create an unprivileged user and name it in sandbox.user.",
        ) from None
    if entry.pw_uid == 0:
        raise ConfigError(
            f"sandbox.user {name!r} is root",
            hint="name an unprivileged user: PostgreSQL refuses root.",
        )
    return Account(name, entry.pw_uid, entry.pw_gid, drop=True)
