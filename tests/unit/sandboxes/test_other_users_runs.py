"""A run of another user on the same Docker daemon is in use, as far as we can know."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.run_directory import is_abandoned

NOBODY = 65534


@pytest.fixture
def closed() -> Iterator[Path]:
    """A run's directory whose lock this process may not open."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        lock = Path(place, watchdog.LOCK)
        lock.touch(mode=0o000)
        me = os.geteuid()
        if me == 0:
            os.seteuid(NOBODY)
        yield Path(place)
        if me == 0:
            os.seteuid(me)


def test_a_run_whose_lock_is_closed_to_us_is_not_swept(closed: Path) -> None:
    """Its containers are found by their labels, and looking at its lock must not end our run."""
    assert not is_abandoned(closed)


def test_a_run_whose_lock_nobody_holds_is_swept(tmp_path: Path) -> None:
    """The twin: it is open, and free."""
    (tmp_path / watchdog.LOCK).touch()

    assert is_abandoned(tmp_path)
