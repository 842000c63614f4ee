"""What pg_controldata printed of whole and damaged control files (PostgreSQL 15 and 18)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.restore.server import control_data
from pytest_pgrestore.system.process import Completed

FACTS = """\
pg_control version number:            1800
Database system identifier:           7713081935279490314
Database cluster state:               in production
Latest checkpoint location:           0/3000028
Latest checkpoint's TimeLineID:       3
max_connections setting:              100
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
Bytes per WAL segment:                16777216
"""
WARNING_15 = "WARNING: Calculated CRC checksum does not match value stored in file.\n"
WARNING_18 = (
    "pg_controldata: warning: calculated CRC checksum does not match value stored in control file\n"
)


class FakeSandbox:
    """A sandbox whose pg_controldata prints what it is given."""

    def __init__(self, status: int, stdout: str, stderr: str) -> None:
        self.data = Path("/data")
        self.programs = self
        self._done = Completed(("pg_controldata",), status, stdout, stderr)

    def run(self, *_argv: str, **_keywords: object) -> Completed:
        """Return the output of pg_controldata."""
        return self._done


def read(status: int, stdout: str, stderr: str = "") -> control_data.ControlData:
    """Return what is read of such an output."""
    sandbox: Any = FakeSandbox(status, stdout, stderr)
    return control_data.read(sandbox)


def test_the_facts_of_a_whole_file_are_read() -> None:
    """Recovery needs production's sizes of shared memory."""
    facts = read(0, FACTS)

    assert (facts.timeline, facts.segment_bytes) == (3, 16 * 1024 * 1024)
    assert facts.floors["max_connections"] == 100


@pytest.mark.parametrize(
    ("stdout", "stderr"),
    [(WARNING_15 + FACTS, ""), (FACTS, WARNING_18)],
    ids=["on stdout", "on stderr"],
)
def test_a_wrong_checksum_is_the_backups_fault(stdout: str, stderr: str) -> None:
    """pg_controldata ends with status 0 and prints facts that are not to be trusted."""
    with pytest.raises(BackupNotRestorable, match="fails its own checksum"):
        read(0, stdout, stderr)


def test_a_missing_file_is_the_backups_fault() -> None:
    """The base backup was cut short."""
    with pytest.raises(BackupNotRestorable, match="pg_control cannot be read"):
        read(1, "", "pg_controldata: error: could not open file")
