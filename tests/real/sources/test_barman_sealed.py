"""Homes of the newest Barman: what only Barman can decrypt or unpack is never called damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.real.barman_sealed import PASSPHRASE, Sealed, sealed
from tests.real.tool_worlds import could_not_verify
from tests.real.worlds import Drilled, as_root

Drilling = Callable[..., Drilled]

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("tool_run", ["local"], indirect=True),
    pytest.mark.skipif(not as_root(), reason="this Barman runs as root: its files are root's"),
]


@pytest.fixture(scope="module")
def home() -> Iterator[Sealed]:
    """The home, with all servers."""
    with sealed() as made:
        yield made


def test_wal_that_only_barman_unpacks(home: Sealed, tool_drill: Drilling) -> None:
    """Barman 3.12 packs WAL with snappy, which has no library here: `get-wal` unpacks it."""
    drilled = tool_drill(home.source("snappy"), database="postgres")

    assert drilled.rows() == home.rows
    assert drilled.result.record.verdict() == "passed", drilled.result.record.checks
    assert "by get-wal" in str(drilled.result.record.phases)


def test_an_encrypted_backup(
    home: Sealed, tool_drill: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Barman decrypts it with the key of the user who runs it."""
    monkeypatch.setenv("HOME", str(home.directory))
    drilled = tool_drill(home.source("sealed"), database="postgres")

    assert drilled.rows() == home.rows


def test_an_encrypted_backup_without_the_key(
    home: Sealed, tool_drill: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is missing here: nothing is learned about the backup."""
    monkeypatch.setenv("HOME", str(home.directory / "c"))
    drilled = tool_drill(home.source("sealed"))

    could_not_verify(drilled, "encrypted", "encryption_passphrase_command")
    assert PASSPHRASE not in drilled.cause
