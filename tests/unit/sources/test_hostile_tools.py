"""Answers and files of backup tools whose repository somebody else can write to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sandboxes.protocol import Sandbox
from pytest_pgrestore.sources.barman import checks
from pytest_pgrestore.sources.barman.own_config import Server
from pytest_pgrestore.sources.barman.put_back import put_back, tablespace_options
from pytest_pgrestore.sources.command import catalogue as command
from pytest_pgrestore.sources.json_answer import AnswerTooLargeError, is_name, parse
from pytest_pgrestore.sources.walg.answers import files_in
from pytest_pgrestore.sources.walg.restore_spec import link_tablespaces
from tests.memory import LIMIT_BYTES, measured
from tests.unit.sources.hostile_files import NO_FILES

pytestmark = pytest.mark.long


@dataclass
class Places:
    """The directories of a sandbox."""

    data: Path
    tablespaces: Path


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """Return a sandbox with an empty data directory, beside a directory of somebody else."""
    places = Places(tmp_path / "data", tmp_path / "tablespaces")
    for place in (places.data, places.tablespaces, tmp_path / "outside"):
        place.mkdir()
    return cast("Sandbox", places)


@pytest.fixture
def outside(tmp_path: Path, sandbox: Sandbox) -> Path:
    """Return a directory that a link in the backup leads to; its files must stay."""
    del sandbox
    place = tmp_path / "outside"
    for name in ("16389", "x.conf", "x.conf.origin", "tablespace_map"):
        (place / name).write_text(name)
    return place


def untouched(place: Path) -> bool:
    """Return whether the files of `outside` are as they were."""
    found = {path.name: path.read_text() for path in place.iterdir()}
    return found == {name: name for name in found} and len(found) == 4


def test_tablespaces_behind_a_link(sandbox: Sandbox, outside: Path) -> None:
    """The link of each tablespace would have been made in a directory of somebody else."""
    (sandbox.data / "pg_tblspc").symlink_to(outside)

    with pytest.raises(BackupNotRestorable, match="pg_tblspc of the restored backup"):
        link_tablespaces([16389], sandbox)

    assert untouched(outside)


def test_tablespaces_in_their_directory(sandbox: Sandbox) -> None:
    """A healthy restore gets its links."""
    (sandbox.data / "pg_tblspc").mkdir()
    (sandbox.data / "pg_tblspc" / "16389").symlink_to("/srv/production")
    (sandbox.data / "tablespace_map").write_text("16389 /srv/production")

    link_tablespaces([16389], sandbox)

    link = sandbox.data / "pg_tblspc" / "16389"
    assert link.readlink() == sandbox.tablespaces / "16389"
    assert not (sandbox.data / "tablespace_map").exists()


def test_the_map_may_be_a_directory(sandbox: Sandbox, outside: Path) -> None:
    """It is removed, whatever it is; a link in it is not followed."""
    (sandbox.data / "tablespace_map").mkdir()
    (sandbox.data / "tablespace_map" / "link").symlink_to(outside)

    link_tablespaces([], sandbox)

    assert not (sandbox.data / "tablespace_map").exists()
    assert untouched(outside)


def test_originals_behind_a_link(sandbox: Sandbox, outside: Path) -> None:
    """Barman's originals are put back in the data directory, and nowhere else."""
    (sandbox.data / "conf.d").symlink_to(outside)
    (sandbox.data / "backup_manifest.1").symlink_to(outside / "x.conf")

    put_back(sandbox, "1")

    assert untouched(outside)
    assert not (sandbox.data / "backup_manifest").exists()


def test_originals_are_put_back(sandbox: Sandbox) -> None:
    """A healthy restore is as its manifest says."""
    (sandbox.data / "conf.d").mkdir()
    for folder in (sandbox.data, sandbox.data / "conf.d"):
        (folder / "x.conf").write_text("changed")
        (folder / "x.conf.origin").write_text("original")
    (sandbox.data / "backup_manifest.1").write_text("manifest")

    put_back(sandbox, "1")

    assert (sandbox.data / "x.conf").read_text() == "original"
    assert (sandbox.data / "conf.d" / "x.conf").read_text() == "original"
    assert (sandbox.data / "backup_manifest").read_text() == "manifest"


@pytest.mark.parametrize("made", ["barman_wal", "recovery.signal"])
def test_what_barman_made_may_be_a_link(sandbox: Sandbox, outside: Path, made: str) -> None:
    """The link is removed, and not what it leads to."""
    (sandbox.data / made).symlink_to(outside)

    put_back(sandbox, "1")

    assert not (sandbox.data / made).is_symlink()
    assert untouched(outside)


def test_a_tablespace_whose_name_chooses_a_directory(sandbox: Sandbox) -> None:
    """Barman splits NAME:DIRECTORY at the first colon."""
    with pytest.raises(HarnessError, match="its name has a colon"):
        tablespace_options([("extra:/etc", 16389)], sandbox)

    assert tablespace_options([("-x y", 16389)], sandbox) == [
        f"--tablespace=-x y:{sandbox.tablespaces / '16389'}"
    ]


@pytest.mark.parametrize("kind", [*NO_FILES, "a link to a file"])
def test_a_description_that_is_no_file(tmp_path: Path, kind: str) -> None:
    """A link in Barman's home would have copied any file into the sandbox."""
    backup = tmp_path / "home" / "base" / "20261123T054831"
    backup.mkdir(parents=True)
    if kind == "a link to a file":
        (tmp_path / "secret").write_text("secret")
        (backup / "backup.info").symlink_to(tmp_path / "secret")
    else:
        NO_FILES[kind](backup / "backup.info")

    found = measured(mirrored, tmp_path)

    assert isinstance(found.error, BackupNotRestorable)
    assert found.peak_bytes < LIMIT_BYTES


def test_a_description_is_copied(tmp_path: Path) -> None:
    """A healthy home is mirrored, with the descriptions of Barman 3.13 too."""
    backup = tmp_path / "home" / "base" / "20261123T054831"
    backup.mkdir(parents=True)
    (backup / "backup.info").write_text("status=DONE")
    (tmp_path / "home" / "meta").mkdir()
    (tmp_path / "home" / "meta" / "1-backup.info").write_text("status=DONE")

    mirrored(tmp_path)

    copies = [path.name for path in (tmp_path / "mirror").rglob("*backup.info")]
    assert sorted(copies) == ["1-backup.info", "backup.info"]


def mirrored(place: Path) -> None:
    """Mirror the Barman home of a test."""
    server = Server("shop", {"backup_directory": str(place / "home")})
    (place / "mirror").mkdir()
    checks.mirror(server, place / "mirror")


def parsed(start: str, part: str, end: str, count: int) -> None:
    """Parse JSON with many values; it is made here, so that pickle does not carry it."""
    parse(start + part * count + end)


@pytest.mark.parametrize(
    ("start", "part", "end", "count"),
    [
        ("[", "[],", "0]", 30_000_000),
        ("[", "[],", "0]", 450_000),
        ("[", '{"a":0},', "0]", 300_000),
        ("[", '"ab",', "0]", 900_000),
        ('{"a":"', "x", '"}', 90_000_000),
        ('{"a":"', "x", '"}', 24_000_000),
        ("", "[", "", 900_000),
    ],
    ids=["many", "lists", "objects", "texts", "too long", "long", "deep"],
)
def test_an_answer_takes_little_memory(start: str, part: str, end: str, count: int) -> None:
    """100 MB of output were read whole, and grew twenty times."""
    found = measured(parsed, start, part, end, count)

    assert found.peak_bytes < LIMIT_BYTES
    assert not isinstance(found.error, MemoryError)


def test_an_answer_that_is_too_large_is_no_finding() -> None:
    """A limit of ours says nothing about the backup."""
    many = '{"Files": [' + "0," * 1_000_001 + "0]}"
    with pytest.raises(AnswerTooLargeError):
        parse(many)
    with pytest.raises(HarnessError, match="more than 1,000,000 values"):
        files_in(many, "base_1")


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a/b", "-x", ".x", "a b", "a\n", "a\0", "\N{SNOWMAN}", "x" * 256, None]
)
def test_what_is_no_name(text: object) -> None:
    """It would become a path or an option."""
    assert not is_name(text)


@pytest.mark.parametrize(
    "text",
    ["20261123-052556F_20261123-052557D", "20261123T054846", "base_0000_D_0001", "17-1", "v1.2+x"],
)
def test_what_is_a_name(text: str) -> None:
    """The tools call their backups like that."""
    assert is_name(text)


@pytest.mark.parametrize(
    ("label", "fine"),
    [
        ("snap-1", True),
        ("arn:aws:rds:eu-1:123:snapshot:x", True),
        ("s3://bucket/backups/1", True),
        ("../../etc", False),
        ("-rf", False),
        ("a b", False),
    ],
)
def test_labels_of_a_command(label: str, fine: bool) -> None:
    """A user's tool may call its backups by an address; an option or a way up is no name."""
    assert accepted(label) is fine


def accepted(label: str) -> bool:
    """Return whether the list of a command may have this label."""
    row = {
        "label": label,
        "server_major": 17,
        "stopped_at": "2026-11-23T06:04:56Z",
        "start_lsn": "0/B00028",
        "stop_lsn": "0/B00120",
        "start_file": "00000001000000000000000B",
    }
    try:
        command.parse(json.dumps([row]), "the list")
    except HarnessError:
        return False
    return True
