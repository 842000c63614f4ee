"""Digests of settings: a change is seen, and no secret is in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.session.digests import digests_of_source, without_secrets
from pytest_pgrestore.settings.read_file import load_config
from pytest_pgrestore.sources.registry import SOURCE_TABLES

if TYPE_CHECKING:
    from pathlib import Path

SHOP = """
[sources.shop]
type = "pgbackrest"
stanza = "main"
config = "pgbackrest.conf"
every = "30d"
rto = "30m"
secrets = ["PGBACKREST_REPO1_CIPHER_PASS"]
live_conninfo = "host=db password=${PW}"
env = { PGBACKREST_REPO1_PATH = "/repo" }
"""
ENVIRON = {"PGBACKREST_REPO1_CIPHER_PASS": "hunter2", "PW": "hunter2"}
COMMAND = """
type = "command"
list = ["./FILE", "list"]
fetch = ["true", "{backup}", "{data}"]
wal_list = ["true"]
wal_fetch = ["true", "{file}", "{path}"]
"""
CONF = "[global]\nrepo1-path=/repo\nrepo1-cipher-pass=hunter2\n"


def digests(
    directory: Path, text: str = SHOP, conf: str = CONF, environ: dict[str, str] = ENVIRON
) -> dict[str, str]:
    """Digests of the source `shop` in a project."""
    directory.mkdir(exist_ok=True)
    (directory / "pgbackrest.conf").write_text(conf)
    file = directory / "pgrestore.toml"
    file.write_text(text)
    table = load_config(file, environ, tables=SOURCE_TABLES).sources["shop"]
    return digests_of_source(table, directory)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ('"main"', '"other"', {"stanza"}),
        ('rto = "30m"', 'rto = "15m"', {"rto"}),
        ('"/repo"', '"/repo2"', {"env"}),
        ('["PGBACKREST_REPO1_CIPHER_PASS"]', '["PW"]', {"secrets"}),
        ('stanza = "main"', 'stanza = "main"\nrepo = 2', {"repo"}),
        ('every = "30d"', 'every = "1d"', set()),
        ('rto = "30m"', 'rto = "1800s"', set()),
    ],
)
def test_a_changed_key_is_named(tmp_path: Path, old: str, new: str, changed: set[str]) -> None:
    """And how often it is drilled is no part of what is drilled."""
    before, after = digests(tmp_path), digests(tmp_path, SHOP.replace(old, new))

    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} == changed


def test_the_content_of_the_tools_configuration_counts(tmp_path: Path) -> None:
    """It decides the restore as much as our own keys do."""
    before = digests(tmp_path)
    after = digests(tmp_path, conf=CONF.replace("/repo", "/moved"))

    assert before.keys() == after.keys()
    assert [key for key in before if before[key] != after[key]] == ["config (content)"]


@pytest.mark.parametrize(
    ("keys", "file", "changed"),
    [
        ('type = "dump"\npath = "a.dump"\nbefore = "FILE"', "roles.sql", "before"),
        ('type = "dump"\npath = "a.dump"\nschema_file = "FILE"', "schema.sql", "schema_file"),
        ('type = "dump"\npath = "a.dump"\ndecrypt = ["sh", "FILE"]', "decrypt.sh", "decrypt"),
        (COMMAND, "tool.sh", "list"),
    ],
    ids=["before", "schema_file", "decrypt", "list"],
)
def test_the_content_of_a_file_that_decides_the_restore_counts(
    tmp_path: Path, keys: str, file: str, changed: str
) -> None:
    """SQL, and scripts of the project."""
    text = f"[sources.shop]\n{keys.replace('FILE', file)}\n"
    (tmp_path / file).write_text("select 1;")
    before = digests(tmp_path, text)
    (tmp_path / file).write_text("select 2;")
    after = digests(tmp_path, text)

    assert before.keys() == after.keys()
    assert [key for key in before if before[key] != after[key]] == [f"{changed} (content)"]


def test_no_secret_is_in_a_digest(tmp_path: Path) -> None:
    """Whoever reads a history could guess a weak one."""
    other = dict.fromkeys(ENVIRON, "correct horse")

    before = digests(tmp_path)
    after = digests(tmp_path, conf=CONF.replace("hunter2", "correct horse"), environ=other)

    assert before == after


def test_two_checkouts_are_alike(tmp_path: Path) -> None:
    """A CI system has another directory for each job."""
    assert digests(tmp_path / "job1") == digests(tmp_path / "job2")


@pytest.mark.parametrize(
    "text",
    [
        "repo1-cipher-pass=hunter2",
        "conninfo = host=db user=barman password=hunter2 dbname=postgres",
        '{"WALG_S3_PREFIX": "s3://b", "AWS_SECRET_ACCESS_KEY": "hunter2"}',
        '{"WALG_S3_PREFIX": "s3://b", "AWS_SECRET_ACCESS_KEY": "hunter2"',
        "WALG_LIBSODIUM_KEY: hunter2",
        "create role app login PASSWORD 'hunter2';",
        "endpoint=https://user:hunter2@store.example/",
        '{"endpoint": "https://user:hunter2@store.example/"}',
    ],
)
def test_what_a_file_says_is_without_its_secrets(text: str) -> None:
    """In each form that tools write."""
    assert "hunter2" not in without_secrets(text)
