"""A Barman home or configuration that this user may not read: the message says who may."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.barman.home import require_home
from pytest_pgrestore.sources.barman.own_config import server_of
from pytest_pgrestore.system.account import server_account

OWNER, GROUP = 4321, 12345

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


def told_to_nobody(config: Path) -> str:
    """Return the error that the server's user gets, in a child of this process; empty without."""
    account = server_account()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
            require_home(server_of(config, "shop"))
        except HarnessError as exc:
            os.write(writing, f"{exc.problem} HINT: {exc.hint}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a configuration beside it."""
    place = short_directory()
    (place / "home" / "shop" / "base").mkdir(parents=True)
    (place / "home" / "shop" / "wals").mkdir()
    (place / "barman.d").mkdir()
    (place / "barman.d" / "shop.conf").write_text("[shop]\nconninfo = x\n")
    (place / "barman.conf").write_text(
        f"[barman]\nbarman_home = {place}/home\nconfiguration_files_directory = {place}/barman.d\n"
    )
    yield place
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("closed", "mode", "says"),
    [
        ("home", 0o750, "group '12345' may read"),
        ("home/shop/base", 0o700, "only '4321' may read"),
        ("barman.conf", 0o640, "group '12345' may read"),
        ("barman.conf", 0o600, "only '4321' may read"),
        ("barman.d", 0o700, "only '4321' may read"),
        ("barman.d/shop.conf", 0o600, "only '4321' may read"),
    ],
)
def test_who_may_read_it(home: Path, closed: str, mode: int, says: str) -> None:
    """Not that it is on another machine, and not that a path cannot be."""
    path = home / closed
    path.chmod(mode)
    os.chown(path, OWNER, GROUP)

    said = told_to_nobody(home / "barman.conf")

    assert f"{path} of Barman may not be read by this user" in said
    assert f"{says} {path}" in said


def test_a_home_that_may_be_read(home: Path) -> None:
    """Nothing is said about it."""
    assert told_to_nobody(home / "barman.conf") == ""
