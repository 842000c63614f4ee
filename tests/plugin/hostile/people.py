"""Who runs a drill of a hostile backup: root, and an ordinary user that the tests make."""

from __future__ import annotations

import fcntl
import os
import pwd
import site
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.plugin.processes import everybody
from tests.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = ("root", "ordinary") if os.geteuid() == 0 else ("ordinary",)
"""Only root can make a user; without it the ordinary user is the one who runs the tests."""

_ONE_AT_A_TIME = "/tmp/pgrestore-hostile-users.lock"  # noqa: S108 - holds nothing
"""useradd refuses when another one runs (useradd(8): "cannot lock /etc/passwd")."""


@dataclass(frozen=True)
class Person:
    """A user who starts pytest.

    Attributes:
        name: Login name.
        uid: Its number.
        gid: Its primary group.
        groups: Its other groups.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def identity(self) -> dict[str, Any]:
        """Return the arguments of `subprocess.Popen` that change to this user, if needed."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": list(self.groups)}

    def own(self, place: Path) -> None:
        """Give this user `place` and all below it."""
        if os.geteuid() == 0:
            subprocess.run(["chown", "-hR", f"{self.uid}:{self.gid}", str(place)], check=True)

    def python(self) -> tuple[list[str], dict[str, str]]:
        """Return an interpreter that this user may execute, and the variables it needs.

        Raises:
            AssertionError: There is none: the interpreter of the tests is closed to others.
        """
        version = sysconfig.get_python_version()
        env = {"PYTHONPATH": os.pathsep.join([str(ROOT), *site.getsitepackages()])}
        for found in (
            sys.executable,
            f"/usr/bin/python{version}",
            f"/usr/local/bin/python{version}",
        ):
            try:
                done = subprocess.run(
                    [found, "-c", "import pytest_pgrestore.plugin, psycopg"],
                    env=env,
                    cwd="/",
                    capture_output=True,
                    check=False,
                    **self.identity(),
                )
            except OSError:
                continue
            if done.returncode == 0:
                return [found], env
        message = f"{self.name} may run no Python {version} with this project's packages"
        raise AssertionError(message)

    def processes(self) -> list[int]:
        """Return the processes of this user."""
        found = []
        for pid in everybody():
            try:
                owner = Path(f"/proc/{pid}").stat().st_uid
            except OSError:
                continue
            if owner == self.uid:
                found.append(pid)
        return found


def me() -> Person:
    """Return the user who runs the tests."""
    entry = pwd.getpwuid(os.geteuid())
    return Person(entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(os.getgroups()))


@contextmanager
def made_user(name: str, *groups: str) -> Iterator[Person]:
    """Make a user without rights, if we are root; otherwise yield the user who runs the tests."""
    if os.geteuid() != 0:
        yield me()
        return
    more = ["--groups", ",".join(groups)] if groups else []
    _alone(
        "useradd", "--no-create-home", "--no-user-group", "--home-dir", "/nonexistent", *more, name
    )
    try:
        entry = pwd.getpwnam(name)
        yield Person(name, entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid)))
    finally:
        _alone("userdel", "--force", name)


def _alone(*argv: str) -> None:
    with Path(_ONE_AT_A_TIME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(argv, check=True, capture_output=True)
