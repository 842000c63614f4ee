"""Barman's catalogue, from text that Barman 3.4 and 3.13 printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.barman import catalogue
from pytest_pgrestore.sources.json_answer import Answer

FULL: dict[str, object] = {
    "backup_id": "20261123T054831",
    "begin_time": "2026-11-23T05:48:31.091428+00:00",
    "begin_wal": "000000010000000000000009",
    "begin_xlog": "0/900028",
    "compression": None,
    "deduplicated_size": 23376877,
    "end_time": "2026-11-23T05:48:32.200000+00:00",
    "end_xlog": "0/A00000",
    "error": None,
    "mode": "postgres",
    "size": 23376877,
    "status": "DONE",
    "systemid": "7711239721588207640",
    "tablespaces": [["extra", 16384, "/srv/space"]],
    "timeline": 1,
    "version": 170011,
}
BLOCK: dict[str, object] = FULL | {
    "backup_id": "20261123T054846",
    "parent_backup_id": "20261123T054831",
    "status": "WAITING_FOR_WALS",
}
PACKED: dict[str, object] = FULL | {
    "backup_id": "20261123T054900",
    "compression": "gzip",
    "status": "FAILED",
    "error": "disk full",
}


def told(*backups: dict[str, object]) -> str:
    """Return the output of `diagnose`, with a warning before it."""
    by_id = {str(backup["backup_id"]): backup for backup in backups}
    document = {
        "global": {"system_info": {"barman_ver": "3.13.3"}},
        "servers": {"shop": {"backups": by_id}},
    }
    return "WARNING: No backup strategy set\n" + json.dumps(document)


def test_what_the_catalogue_tells() -> None:
    """It has every value of the evidence."""
    entry = catalogue.parse(told(FULL), "shop", "/home")[0]

    assert entry.backup.server_major == 17
    assert entry.backup.kind == "full"
    assert entry.backup.start_lsn == Lsn.parse("0/900028")
    assert entry.backup.stopped_at == datetime(2026, 11, 23, 5, 48, 32, 200000, UTC)
    assert entry.tablespaces == (("extra", 16384),)
    assert entry.start_file == "000000010000000000000009"
    assert catalogue.version(told(FULL)) == "3.13.3"


def test_a_chain_and_one_that_lost_its_parent() -> None:
    """A block-level backup needs all backups before it."""
    full, block, packed = catalogue.parse(told(BLOCK, FULL, PACKED), "shop", "/home")

    catalogue.require_chain(block, [full, block])
    assert block.backup.chain == ("20261123T054831",)
    assert block.backup.kind == "incremental"
    assert packed.compressed
    with pytest.raises(BackupNotRestorable, match="which is not there"):
        catalogue.require_chain(block, [block])


def test_an_answer_that_is_not_understood() -> None:
    """Nothing was learned about the backups."""
    with pytest.raises(HarnessError, match="HINT: "):
        catalogue.parse("EXCEPTION: no", "shop", "/home")


def test_a_time_as_barman_cloud_tells_it() -> None:
    """It is what C's ctime() returns, in UTC."""
    raw = FULL | {"end_time": "Mon Nov 23 05:48:32 2026"}
    entry = catalogue.entries([Answer(raw)], "s3://b")[0]

    assert entry.backup.stopped_at == datetime(2026, 11, 23, 5, 48, 32, tzinfo=UTC)
