"""WAL-G's catalogue, from text that 3.0.9 printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.walg import catalogue
from pytest_pgrestore.sources.walg.answers import Sentinel
from pytest_pgrestore.system.process import Completed

FULL = "base_000000010000000000000009"
DELTA = "base_00000001000000000000000B_D_000000010000000000000009"

ROW = {
    "backup_name": DELTA,
    "time": "2026-11-23T06:04:56.708927838Z",
    "wal_file_name": "00000001000000000000000B",
    "storage_name": "default",
    "start_time": "2026-11-23T06:04:55.652851Z",
    "finish_time": "2026-11-23T06:04:56.709943Z",
    "date_fmt": "%Y-%m-%dT%H:%M:%S.%fZ",
    "hostname": "vm",
    "data_dir": "/data",
    "pg_version": 170011,
    "start_lsn": 11534376,
    "finish_lsn": 11534624,
    "is_permanent": False,
    "system_identifier": 7711243954158825496,
    "uncompressed_size": 222763,
    "compressed_size": 37787,
}

LISTING = """type size  last modified                           name
obj  79770 2026-11-23 06:04:54.340927921 +0000 UTC 000000010000000000000008.lz4
obj  258   2026-11-23 06:04:54.484927916 +0000 UTC 000000010000000000000009.00000028.backup.lz4
obj  4361  2026-11-23 06:04:54.48492 +0000 UTC 000000010000000000000009.zst
obj  7415  2026-11-23 06:04:55 +0000 UTC 00000001000000000000000A
obj  41    2026-11-23 06:04:55 +0000 UTC 00000002.history.lz4
"""


@dataclass
class Answers:
    """A tool runner whose output depends on the first words of a command."""

    said: dict[str, str]
    asked: list[str] = field(default_factory=list)
    origin = "here"
    network = ""

    def run(self, *argv: str, **_: object) -> Completed:
        """Return the text for the command, or the error of a missing object."""
        words = " ".join(argv[1:])
        self.asked.append(words)
        for start, text in self.said.items():
            if words.startswith(start):
                return Completed(argv, 0, text, "")
        return Completed(
            argv, 1, "", f"ERROR: 2026/11/23 06:04:32.157717 object not found: {words}"
        )


@pytest.fixture
def tool() -> Callable[[dict[str, str]], BackupTool]:
    """Return a tool with the given output for each command."""

    def _tool(said: dict[str, str]) -> BackupTool:
        return BackupTool(
            tool_runner=Answers(said),  # type: ignore[arg-type]  # only what a tool of WAL-G uses
            program="wal-g",
            env={},
            secrets={},
            log=lambda _step, _text: None,
        )

    return _tool


def test_an_entry_of_the_catalogue(tool: Callable[[dict[str, str]], BackupTool]) -> None:
    """It has every value of the evidence; a delta comes after its full backup."""
    rows = [ROW, {**ROW, "backup_name": FULL, "wal_file_name": FULL.removeprefix("base_")}]

    full, delta = catalogue.read(tool({"backup-list": json.dumps(rows)}), "/store")

    assert (full.backup.label, full.backup.kind) == (FULL, "full")
    backup = delta.backup
    assert (backup.label, backup.kind, backup.server_major, backup.timeline) == (
        DELTA,
        "incremental",
        17,
        1,
    )
    assert (backup.start_lsn, backup.stop_lsn) == (Lsn(0xB00028), Lsn(0xB00120))
    assert backup.stopped_at == datetime(2026, 11, 23, 6, 4, 56, 709943, tzinfo=UTC)
    assert (backup.size_bytes, backup.repository_bytes) == (222763, 37787)
    assert delta.start_file == "00000001000000000000000B"


def test_a_catalogue_that_is_not_understood(tool: Callable[[dict[str, str]], BackupTool]) -> None:
    """The error is a sentence, without a traceback."""
    with pytest.raises(HarnessError, match="catalogue is not understood"):
        catalogue.read(tool({"backup-list": '[{"name": "x"}]'}), "/store")


def test_the_names_of_the_wal(tool: Callable[[dict[str, str]], BackupTool]) -> None:
    """Every compression is read; backup history files are no WAL."""
    found = catalogue.stored_wal(
        tool(
            {
                "st ls": LISTING,
                "st cat wal_005/00000002.history.lz4": "1\t0/900000\tno recovery target\n",
            }
        )
    )

    assert list(found.segments) == [f"00000001000000000000000{digit}" for digit in "89A"]
    assert found.segments["000000010000000000000008"] == datetime(
        2026, 11, 23, 6, 4, 54, 340927, tzinfo=UTC
    )
    assert found.histories == {2: "1\t0/900000\tno recovery target\n"}


def test_a_chain_back_to_the_full_backup(tool: Callable[[dict[str, str]], BackupTool]) -> None:
    """The full backup comes first."""
    said = {f"st cat basebackups_005/{FULL}_backup_stop_sentinel.json": "{}"}

    assert catalogue.chain_of(tool(said), DELTA, Sentinel(parent=FULL), {FULL}) == (FULL,)


def test_a_chain_that_is_broken(tool: Callable[[dict[str, str]], BackupTool]) -> None:
    """It is reported before anything is fetched."""
    with pytest.raises(
        BackupNotRestorable, match=f"is a delta to {FULL}, which is not in the catalogue"
    ):
        catalogue.chain_of(tool({}), DELTA, Sentinel(parent=FULL), set())
