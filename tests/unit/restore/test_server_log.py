"""The log of a server in recovery: its stages, and what ended it."""

from __future__ import annotations

import os
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.restore.server.log import ServerLog
from tests.unit.server_log import RECOVERED

MIB = 1024 * 1024


def test_the_log_tells_the_phases_in_order(tmp_path: Path) -> None:
    """The boundaries of start, replay and promote are these lines."""
    path = tmp_path / "log"
    path.touch()
    log = ServerLog(path)
    stages = []
    for line in RECOVERED.splitlines(keepends=True):
        with path.open("a") as stream:
            stream.write(line)
        log.refresh()
        stages.append(log.stage())

    assert list(dict.fromkeys(stages)) == ["start", "replay", "promote", "ready"]
    assert log.stopped_transaction() == ("after", 741)
    assert log.consistent_at() == Lsn.parse("0/A00100")
    assert log.replayed() == (1.0, Lsn.parse("0/B00000"))
    assert log.last_commit() == datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    assert log.fatal() is None
    assert log.bad_wal() is None


def test_a_log_without_an_end_takes_little_memory(tmp_path: Path) -> None:
    """A server can be made to log any amount, in one line or in many."""
    path = tmp_path / "log"
    with path.open("wb") as stream:
        stream.truncate(100 * MIB)  # one line of zeros
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n")
        for _ in range(10):
            stream.write(b"2026-03-01 12:00:00.001 UTC [10] 00000 NOTICE:  x\n" * 20_000)
        stream.write(RECOVERED.encode())
    log = ServerLog(path)
    tracemalloc.start()
    try:
        while not log.refresh():
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert log.says_ready()
    assert peak < 100 * MIB


def test_a_message_is_found_however_the_log_is_cut(tmp_path: Path) -> None:
    """The server may be in the middle of a line when we look."""
    path = tmp_path / "log"
    log = ServerLog(path)
    assert log.refresh()
    for position in range(len(RECOVERED)):
        with path.open("a") as stream:
            stream.write(RECOVERED[position])
        log.refresh()

    assert log.stage() == "ready"
    assert log.stopped_transaction() == ("after", 741)


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_log_that_was_replaced_is_not_read(tmp_path: Path, kind: str) -> None:
    """Opening a FIFO would wait for ever, and a link leads to a file of root's."""
    path = tmp_path / "log"
    (tmp_path / "secret").write_text(RECOVERED)
    if kind == "link":
        path.symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    log = ServerLog(path)

    with pytest.raises(HarnessError, match="log is"):
        log.refresh()
    assert not log.says_ready()
