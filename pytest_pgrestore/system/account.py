"""The user that runs the server and its tools.

PostgreSQL refuses to run as root (src/backend/main/main.c, `check_root`; initdb.c, `get_id`), so
root changes to an unprivileged user.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system import capabilities

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
        named: Whether the system knows its name.
    """

    name: str
    uid: int
    gid: int
    drop: bool
    named: bool = True

    def popen_arguments(self) -> dict[str, Any]:
        """Return the identity arguments of `subprocess.Popen`; empty when no change is needed."""
        if not self.drop:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def require_name(self) -> None:
        """Refuse a user without a name. OpenShift, for one, starts containers with such a user.

        Source: src/bin/initdb/initdb.c, get_id: initdb looks its user's name up.

        Raises:
            HarnessError: The system does not know the user's name.
        """
        if not self.named:
            raise HarnessError(
                f"the user of this run, {self.name}, has no name on this system, and PostgreSQL's"
                " initdb needs one",
                hint="add one before pytest starts, where /etc/passwd may be written:"
                f" echo 'pgrestore:x:{self.uid}:{self.gid}::/tmp:/sbin/nologin' >> /etc/passwd"
                " - or start the container with a user of its image.",
            )

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
        HarnessError: No such user, or it is root; or we cannot become that user: we are neither
            root nor that user, or root without the right to change.
    """
    return _caller(wanted) if os.geteuid() != 0 else _unprivileged(wanted or DEFAULT_USER)


def _caller(wanted: str | None) -> Account:
    try:
        me = pwd.getpwuid(os.geteuid())
        account = Account(me.pw_name, me.pw_uid, me.pw_gid, drop=False)
    except KeyError:
        uid = os.geteuid()
        account = Account(f"uid {uid}", uid, os.getegid(), drop=False, named=False)
    if wanted is not None and wanted != account.name:
        raise HarnessError(
            f"sandbox.user is {wanted!r}, but the run belongs to {account.name!r}",
            hint="leave sandbox.user out: only root can change to another user.",
        )
    return account


def _unprivileged(name: str) -> Account:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise HarnessError(
            f"there is no user {name!r} to run PostgreSQL as",
            hint="create an unprivileged user and name it in sandbox.user.",
        ) from None
    if entry.pw_uid == 0:
        raise HarnessError(
            f"sandbox.user {name!r} is root",
            hint="name an unprivileged user: PostgreSQL refuses root.",
        )
    _require_power_to_become(entry)
    return Account(name, entry.pw_uid, entry.pw_gid, drop=True)


def _require_power_to_become(entry: pwd.struct_passwd) -> None:
    """Check that root can change to a user here. Containers and namespaces may take that away."""
    if not all(_is_mapped(kind, number) for kind, number in _numbers(entry)):
        raise HarnessError(
            f"root is alone in its user namespace here: it cannot become {entry.pw_name},"
            " and PostgreSQL refuses to run as root",
            hint="start pytest as an ordinary user outside of the namespace, or in one that has"
            " more users (user_namespaces(7), /etc/subuid).",
        )
    missing = capabilities.missing(capabilities.CHANGE_USER)
    if missing:
        raise HarnessError(
            f"root lacks {', '.join(missing)} here: it cannot become {entry.pw_name},"
            " and PostgreSQL refuses to run as root",
            hint="start pytest as an ordinary user, or give the container these capabilities"
            " (docker run --cap-add).",
        )


def _numbers(entry: pwd.struct_passwd) -> tuple[tuple[str, int], ...]:
    return ("uid", entry.pw_uid), ("gid", entry.pw_gid)


def _is_mapped(kind: str, number: int) -> bool:
    """Return whether a user or group exists in our user namespace; True where it is not known.

    Source: user_namespaces(7), /proc/self/uid_map: first number inside, outside, and how many.
    """
    try:
        lines = Path(f"/proc/self/{kind}_map").read_text().splitlines()
    except OSError:
        return True
    ranges = [[int(word) for word in line.split()] for line in lines]
    return any(first <= number < first + count for first, _, count in ranges)
