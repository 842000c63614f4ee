"""Who runs the server and its tools. PostgreSQL refuses to run as root, so root drops to an unprivileged user."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError, HarnessError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_USER = "nobody"
"""Not `postgres`: on a database host that user owns the production files."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system.

    Attributes:
        name: Login name.
        uid: Numeric user.
        gid: Its primary group.
        drop: Whether we have to change to it, which only root can.
    """

    name: str
    uid: int
    gid: int
    drop: bool

    def popen_arguments(self) -> dict[str, Any]:
        """Return the identity arguments of `subprocess.Popen`; empty where no change is needed."""
        if not self.drop:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give `path` itself (a link is not followed) to this user."""
        if self.drop:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_tree(self, path: Path) -> None:
        """Give `path` and everything below it to this user."""
        if not self.drop:
            return
        self.own(path)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)  # noqa: PTH118 - hot


def server_account(wanted: str | None = None) -> Account:
    """Return the user PostgreSQL runs as: the caller, or for root the `wanted` one (default: nobody).

    Raises:
        ConfigError: The wanted user is root, or another than the caller's own without root.
        HarnessError: No such user.
    """
    if os.geteuid() != 0:
        me = pwd.getpwuid(os.geteuid())
        if wanted is not None and wanted != me.pw_name:
            raise ConfigError(
                f"sandbox.user is {wanted!r}, but the run belongs to {me.pw_name!r}",
                hint="leave sandbox.user out: only root can change to another user.",
            )
        return Account(me.pw_name, me.pw_uid, me.pw_gid, drop=False)
    name = wanted or DEFAULT_USER
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
