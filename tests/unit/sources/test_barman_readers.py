"""A Barman home or configuration that this user may not read: the message says who may."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.barman.home import require_home
from pytest_pgrestore.sources.barman.own_config import server_of

NOBODY = 65534


@contextmanager
def somebody_else() -> Iterator[None]:
    """Be a user without rights while the block runs."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a configuration beside it."""
    import shutil

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
        ("home", 0o750, "as a member of group"),
        ("home/shop/base", 0o700, "chmod g+rx"),
        ("barman.conf", 0o640, "as a member of group"),
        ("barman.conf", 0o600, "chmod g+r)"),
        ("barman.d", 0o700, "chmod g+rx"),
        ("barman.d/shop.conf", 0o600, "chmod g+r)"),
    ],
)
def test_who_may_read_it(home: Path, closed: str, mode: int, says: str) -> None:
    """Not that it is on another machine, and not that a path cannot be."""
    path = home / closed
    path.chmod(mode)
    os.chown(path, 0, 0)

    with somebody_else(), pytest.raises(HarnessError) as caught:
        require_home(server_of(home / "barman.conf", "shop"))

    assert f"{path} of Barman may not be read by this user" in caught.value.problem
    assert "as user root" in caught.value.hint
    assert says in caught.value.hint


def test_a_home_that_may_be_read(home: Path) -> None:
    """Nothing is said about it."""
    with somebody_else():
        require_home(server_of(home / "barman.conf", "shop"))
