"""Barman's catalogue and configuration, from text that Barman 3.4 and 3.13 printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.barman import catalogue
from pytest_pgrestore.sources.barman.own_config import server_of

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
    """Everything the evidence shows of a backup."""
    entry = catalogue.parse(told(FULL), "shop", "/home")[0]

    assert entry.backup.server_major == 17
    assert entry.backup.kind == "full"
    assert entry.backup.start_lsn == Lsn.parse("0/900028")
    assert entry.backup.stopped_at == datetime(2026, 11, 23, 5, 48, 32, 200000, UTC)
    assert entry.tablespaces == (("extra", 16384),)
    assert entry.start_file == "000000010000000000000009"
    assert catalogue.version(told(FULL)) == "3.13.3"


def test_a_chain_and_one_that_lost_its_parent() -> None:
    """A block-level backup is worth nothing without the ones before it."""
    full, block, packed = catalogue.parse(told(BLOCK, FULL, PACKED), "shop", "/home")

    catalogue.require_chain(block, [full, block])
    assert block.backup.chain == ("20261123T054831",)
    assert block.backup.kind == "incremental"
    assert packed.compressed
    with pytest.raises(BackupNotRestorable, match="which is not there"):
        catalogue.require_chain(block, [block])


def test_an_answer_that_is_not_understood() -> None:
    """Nothing was learned about backups."""
    with pytest.raises(HarnessError, match="HINT: "):
        catalogue.parse("EXCEPTION: no", "shop", "/home")


def test_a_time_as_barman_cloud_tells_it() -> None:
    """C's ctime, in UTC."""
    entry = catalogue.entries([FULL | {"end_time": "Mon Nov 23 05:48:32 2026"}], "s3://b")[0]

    assert entry.backup.stopped_at == datetime(2026, 11, 23, 5, 48, 32, tzinfo=UTC)


def configured(directory: Path) -> Path:
    """Write a configuration as production has it."""
    (directory / "conf.d").mkdir()
    (directory / "barman.conf").write_text(
        f"[barman]\nbarman_home = {directory}/home\nbarman_user = barman\ncompression = gzip\n"
        f"configuration_files_directory = {directory}/conf.d\npost_recovery_script = touch /x\n"
    )
    (directory / "conf.d" / "shop.conf").write_text(
        '[shop]\ndescription = "a shop"\nconninfo = host=db password=three-quiet-owls\nssh_command = ssh db\n'
        "backup_method = rsync\nwals_directory = %(barman_home)s/elsewhere/%(name)s\n"
    )
    return directory / "barman.conf"


def test_places_of_a_server(tmp_path: Path) -> None:
    """As Barman finds them: options of all servers, then its own, with what they name."""
    server = server_of(configured(tmp_path), "shop")

    assert server.backups == tmp_path / "home" / "shop" / "base"
    assert server.wals == tmp_path / "home" / "elsewhere" / "shop"
    assert server.options["compression"] == "gzip"


def test_a_drill_has_no_way_to_production_and_no_hooks(tmp_path: Path) -> None:
    """So it needs none of its passwords, either."""
    text = server_of(configured(tmp_path), "shop").derived(tmp_path, tmp_path / "s", 17, "me")

    for secret in ("three-quiet-owls", "ssh db", "host=db", "touch /x"):
        assert secret not in text
    assert "barman_user = me" in text
    assert f"backup_directory = {tmp_path}/home/shop" in text


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """The names there are help."""
    with pytest.raises(HarnessError, match="there are: shop"):
        server_of(configured(tmp_path), "shopp")
