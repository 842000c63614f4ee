"""The log of a server in recovery: its stages, and what ended it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.restore.server.log import ServerLog
from tests.unit.server_log import RECOVERED


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
