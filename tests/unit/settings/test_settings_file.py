"""The settings file: found, read, mistakes all at once, secrets kept."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.find_file import find_config
from tests.unit.settings.files import load_config, mistakes
from tests.unit.system.test_who_may_read import asked_by_nobody

GOOD = """
[sources.shop]
type = "dump"
path = "backups/*.dump"
globals = "/srv/globals.sql"
rto = "15m"
max_age = "PT36H"
live_conninfo = "postgresql://reader:${SHOP_PASSWORD}@db/shop"

[sources.ledger]
type = "basebackup"
path = "base"
wal = "wal"

[sandbox]
directory = "scratch"
timeout = "10m"

[reports]
directory = "out"
"""


def test_a_file_becomes_values(write: Any, tmp_path: Path) -> None:
    """Durations parsed, paths absolute from the file's own directory."""
    config = load_config(write(GOOD), {"SHOP_PASSWORD": "tiger"})

    shop, ledger = dict(config.sources["shop"]), dict(config.sources["ledger"])
    assert (shop["type"], shop["rto"], shop["max_age"]) == (
        "dump",
        timedelta(minutes=15),
        timedelta(hours=36),
    )
    assert shop["path"] == str(tmp_path / "backups/*.dump")
    assert shop["globals"] == "/srv/globals.sql"
    assert ledger["wal"] == str(tmp_path / "wal")
    assert config.sandbox.directory == str(tmp_path / "scratch")
    assert config.reports.directory == str(tmp_path / "out")


def test_a_secret_is_filled_in_and_does_not_show(write: Any) -> None:
    """A connection string with a password must not reach a log."""
    config = load_config(write(GOOD), {"SHOP_PASSWORD": "tiger"})

    live = config.sources["shop"].live_conninfo
    assert live is not None
    assert live.reveal() == "postgresql://reader:tiger@db/shop"
    assert "tiger" not in repr(config)


def test_a_missing_variable_is_named(write: Any) -> None:
    """The name helps; a value must never show."""
    text = mistakes(write(GOOD))

    assert "sources.shop.live_conninfo: environment variable SHOP_PASSWORD is not set" in text


def test_an_empty_variable_is_named(write: Any) -> None:
    """GitHub makes a secret that it does not have an empty one: `path` would be this directory."""
    good = GOOD.replace('"/srv/globals.sql"', '"${PLACE}"')
    text = mistakes(write(good), {"SHOP_PASSWORD": "", "PLACE": ""})

    assert "sources.shop.globals: environment variable PLACE is empty" in text
    assert "sources.shop.live_conninfo: environment variable SHOP_PASSWORD is empty" in text


def test_an_empty_path_is_named(write: Any) -> None:
    """It would be this directory, with whatever dump lies in it."""
    text = mistakes(
        write("""
            [sources.shop]
            type = "dump"
            path = ""
            copies = { other = { path = ["a", ""] } }
        """)
    )

    assert "sources.shop.path: an empty path\nHINT: " in text
    assert "sources.shop.copies.other.path: an empty path" in text


def test_a_doubled_dollar_keeps_the_braces(write: Any) -> None:
    """A query may hold ``${...}`` of its own."""
    config = load_config(
        write("""
            [sources.shop]
            type = "dump"
            path = "x"
            freshness = "select '$${NOT_A_VARIABLE} $ {}'"
        """),
        {},
    )

    assert config.sources["shop"].freshness == "select '${NOT_A_VARIABLE} $ {}'"


def test_a_value_from_a_variable_never_shows_in_a_mistake(write: Any) -> None:
    """A password in the wrong key must not get into the log."""
    text = mistakes(
        write('[sources.shop]\ntype = "dump"\npath = "x"\nrto = "${SECRET}"'), {"SECRET": "tiger"}
    )

    assert "sources.shop.rto: not a duration" in text
    assert "tiger" not in text


def test_all_mistakes_of_a_file_are_reported_at_once(write: Any) -> None:
    """One round of corrections, each with its place and a hint."""
    text = mistakes(
        write("""
            sorces = 1
            [sources.shop]
            type = "dump"
            rto = 900
            jbos = 4
            jobs = 0
            [sources.crm]
            type = "pg_dump"
            [sources.erp]
            path = "x"
            [sources.wms]
            type = "basebackup"
            path = 3
            verify = "yes"
            [sources."a b"]
            type = "dump"
            path = "x"
            [sandbox]
            runtime = "dokcer"
            [reports]
            directroy = "x"
        """)
    )

    for line in (
        "has 12 mistakes",
        "sorces: unknown key\nHINT: did you mean sources?",
        "sources.shop.path: missing",
        "sources.shop.rto: not a duration",
        "sources.shop.jbos: unknown key\nHINT: did you mean jobs?",
        "sources.shop.jobs: out of range\nHINT: write a number greater than or equal to 1.",
        "sources.crm.type: unknown type of source\nHINT: did you mean dump?",
        "sources.erp.type: missing",
        "sources.wms.path: a text is expected here\nHINT: write it in quotes.",
        "sources.wms.verify: true or false is expected here\nHINT: write it without quotes.",
        "sources.a b: not a name",
        "sandbox.runtime: unknown runtime\nHINT: did you mean docker?",
        "reports.directroy: unknown key\nHINT: did you mean directory?",
    ):
        assert line in text


def test_a_syntax_mistake_names_file_and_line(write: Any) -> None:
    """The parser stops at the first mistake: the message has its place."""
    path = write('[sources.shop]\ntype = "dump"\npath = \n')

    text = mistakes(path)

    assert f"{path}:3: not valid TOML" in text
    assert "HINT: " in text


@pytest.mark.parametrize("text", ["sources = 1", "sources.shop = 1", "sandbox = []"])
def test_a_value_in_place_of_a_table_is_refused(write: Any, text: str) -> None:
    """No traceback for any file that is TOML."""
    assert "a table is expected here" in mistakes(write(text))


@pytest.mark.parametrize("kind", ["3", "[]", "{}"])
def test_a_type_that_is_no_text_is_refused(write: Any, kind: str) -> None:
    """Whatever TOML can hold there."""
    assert "sources.shop.type: unknown type of source" in mistakes(
        write(f"[sources.shop]\ntype = {kind}\n")
    )


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """A binary file is a usage error, not a traceback."""
    path = tmp_path / "pgrestore.toml"
    path.write_bytes(b"\xff\xfe")

    assert "not UTF-8" in mistakes(path)


def test_the_section_of_pyproject_is_read(write: Any) -> None:
    """A project can do without another file."""
    path = write(
        '[tool.pgrestore.sources.shop]\ntype = "dump"\npath = "x"\n[tool.ruff]\n', "pyproject.toml"
    )

    assert list(load_config(path, {}).sources) == ["shop"]


def test_a_settings_file_is_found_in_any_of_the_directories(write: Any, tmp_path: Path) -> None:
    """The current directory and the root; one directory under two names has one file."""
    section = write("[tool.pgrestore]\n", "pyproject.toml")

    (tmp_path / "sub").mkdir()
    places = [tmp_path / "nowhere", tmp_path, tmp_path / "sub" / ".."]
    assert find_config(None, places) == section


@pytest.mark.parametrize("second", ["pyproject.toml", "sub/pgrestore.toml"])
def test_a_second_settings_file_is_refused(write: Any, tmp_path: Path, second: str) -> None:
    """The one the user edits is not the one that is read."""
    own = write("")
    (tmp_path / "sub").mkdir()
    other = write("[tool.pgrestore]\n", second)
    places = [tmp_path, tmp_path / "sub"]

    with pytest.raises(ConfigError, match="there are 2 settings files") as caught:
        find_config(None, places)
    assert str(other) in caught.value.problem
    assert find_config(own, places) == own  # as the hint says


@pytest.mark.parametrize(
    "name",
    ["pgrestore.tml", "pgrestor.toml", "pg_restore.toml", ".pgrestore.toml", "Pgrestore.toml"],
)
def test_a_settings_file_with_a_near_name_is_refused(write: Any, tmp_path: Path, name: str) -> None:
    """Nothing would be drilled, and nothing said."""
    write("", name)

    with pytest.raises(ConfigError, match="is not read: settings are in"):
        find_config(None, [tmp_path])
    assert find_config(tmp_path / name, [tmp_path]) == tmp_path / name


@pytest.mark.parametrize(
    "name", ["pgrestore-prod.toml", "pgrestore.toml.bak", "pgrestore.py", "pgbackrest.toml"]
)
def test_a_file_with_another_name_is_left_alone(write: Any, tmp_path: Path, name: str) -> None:
    """A second environment's settings are named by --pgrestore-config."""
    write("", name)
    own = write("")

    assert find_config(None, [tmp_path]) == own


def test_a_section_with_a_near_name_is_refused(write: Any, tmp_path: Path) -> None:
    """As a file with one."""
    write("[tool.pgrestor.sources.x]\n", "pyproject.toml")

    with pytest.raises(ConfigError, match=r"\[tool.pgrestor\], which nothing reads"):
        find_config(None, [tmp_path])


@pytest.mark.parametrize("text", ["[tool]\npgrestore = 1\n", "tool = 1\n", ""])
def test_a_pyproject_without_our_table_is_refused_by_name(write: Any, text: str) -> None:
    """`--pgrestore-config=pyproject.toml` names it, so it is no matter of searching."""
    assert "has no table [tool.pgrestore]" in mistakes(write(text, "pyproject.toml"))


def test_a_pyproject_of_others_is_no_settings_file(write: Any, tmp_path: Path) -> None:
    """Ordinary projects must not be taken for drills."""
    write("[tool.ruff]\n# [tool.pgrestore]\n", "pyproject.toml")

    assert find_config(None, [tmp_path]) is None


def test_a_given_file_must_be_there(tmp_path: Path) -> None:
    """A mistyped path must not fall back to another file."""
    with pytest.raises(ConfigError, match="does not exist"):
        find_config(tmp_path / "pgrestor.toml", [tmp_path])


@pytest.mark.skipif(os.geteuid() != 0, reason="gives directories to other users")
def test_a_closed_directory_is_a_mistake_of_the_path_alone() -> None:
    """Python's own question whether a file is there raises: no traceback for it."""
    root = short_directory()
    (root / "closed").mkdir(mode=0o700)

    def ask() -> str:
        assert find_config(None, [root / "closed" / "project"]) is None
        with pytest.raises(ConfigError) as caught:
            find_config(root / "closed" / "pgrestore.toml", [])
        return str(caught.value)

    try:
        said = asked_by_nobody(ask)
    finally:
        shutil.rmtree(root)

    assert f"settings file {root}/closed/pgrestore.toml cannot be read: Permission denied" in said


def test_a_copy_is_a_source_with_the_keys_that_differ(write: Any, tmp_path: Path) -> None:
    """Offsite has its own path and its own objective."""
    text = GOOD.replace(
        "[sandbox]", '[sources.ledger.copies]\noffsite = { path = "far", rto = "4h" }\n\n[sandbox]'
    )

    sources = load_config(write(text), {"SHOP_PASSWORD": "tiger"}).sources

    assert list(sources) == ["shop", "ledger", "ledger.offsite"]
    near, far = sources["ledger"].model_dump(), sources["ledger.offsite"].model_dump()
    assert (near["path"], far["path"]) == (str(tmp_path / "base"), str(tmp_path / "far"))
    assert (near["rto"], far["rto"]) == (None, timedelta(hours=4))
    assert near["wal"] == far["wal"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"off site" = { path = "x" }', "sources.a.copies.off site: not a name"),
        ('far = { paht = "x" }', "sources.a.copies.far.paht: unknown key"),
    ],
)
def test_a_copy_that_is_wrong_is_named(write: Any, text: str, said: str) -> None:
    """As in any other table."""
    assert said in mistakes(
        write(f'[sources.a]\ntype = "dump"\npath = "x"\n[sources.a.copies]\n{text}\n')
    )


def test_a_kept_restore_has_no_objective_for_its_time(write: Any, tmp_path: Path) -> None:
    """It is quicker than any restore after a disaster; reported before the drill, not after it."""
    text = '[sources.a]\ntype = "pgbackrest"\nstanza = "main"\ndelta = "kept"\n'

    assert load_config(write(text), {}).sources["a"].model_dump()["delta"] == tmp_path / "kept"
    assert "sources.a: rto and delta exclude each other" in mistakes(write(text + 'rto = "1h"\n'))


def test_each_path_of_a_list_is_relative_to_the_file(write: Any, tmp_path: Path) -> None:
    """As a single path is; a source may have the name of a key."""
    text = """
        [sources.path]
        type = "command"
        list = ["list"]
        fetch = ["fetch", "{backup}", "{data}"]
        wal_list = ["wal-list"]
        wal_fetch = ["wal-fetch", "{file}", "{path}"]
        read_paths = ["backups", "/srv/wal"]
        """

    read = load_config(write(text), {}).sources["path"].model_dump()["read_paths"]

    assert [str(path) for path in read] == [str(tmp_path / "backups"), "/srv/wal"]


def test_a_secret_with_another_name_outside(write: Any) -> None:
    """Keys of a Kubernetes Secret are called otherwise than the tool's variables."""
    config = load_config(
        write("""
            [sources.shop]
            type = "barman"
            server = "shop"
            url = "s3://backups"
            secrets = { AWS_ACCESS_KEY_ID = "ACCESS_KEY_ID" }
        """),
        {"ACCESS_KEY_ID": "tiger"},
    )

    found = dict(config.sources["shop"])["secrets"]
    assert {name: secret.reveal() for name, secret in found.items()} == {
        "AWS_ACCESS_KEY_ID": "tiger"
    }


@pytest.mark.parametrize(
    ("secrets", "says"),
    [
        ('{ AWS_ACCESS_KEY_ID = "tiger" }', "secrets.AWS_ACCESS_KEY_ID: the environment variable"),
        ('{ AWS_ACCESS_KEY_ID = ["tiger"] }', "a list of names is expected"),
        ('"tiger"', "a list of names is expected"),
    ],
    ids=["value", "list", "text"],
)
def test_a_secret_written_into_the_file_does_not_show(write: Any, secrets: str, says: str) -> None:
    """Somebody writes the value in the place of a name; the message does not repeat it."""
    text = mistakes(
        write(
            '[sources.shop]\ntype = "barman"\nserver = "shop"\nurl = "s3://b"\n'
            f"secrets = {secrets}\n"
        )
    )

    assert says in text
    assert "tiger" not in text


PAST = """
[history]
place = "drills"
slower_than_usual = "25%"

[inventory]
command = ["./list"]

[sources.shop]
type = "dump"
path = "x"
slower_than_usual = "off"
covers = ["a/shop"]
"""


def test_history_and_inventory_become_values(write: Any, tmp_path: Path) -> None:
    """A percentage is a part of one, and off is more than any."""
    config = load_config(write(PAST), {})

    assert config.history.slower_than_usual == 0.25
    assert config.sources["shop"].slower_than_usual == float("inf")
    assert config.sources["shop"].covers == ["a/shop"]
    assert config.inventory.command == ["./list"]
    assert config.history.place == str(tmp_path / "drills")
    assert load_config(write(GOOD), {"SHOP_PASSWORD": "x"}).history.slower_than_usual == 0.5


def test_mistakes_of_history_and_inventory_are_told_at_once(write: Any) -> None:
    """Each with its place and a hint."""
    text = PAST.replace('"25%"', "25").replace('"off"', '"0%"').replace('"a/shop"', '"a//b"')
    text = text.replace("[inventory]", '[inventory]\nfile = "x"')

    found = mistakes(write(text))

    assert "history.slower_than_usual: not a percentage" in found
    assert "sources.shop.slower_than_usual: not a percentage" in found
    assert "sources.shop.covers.0: not a name" in found
    assert "inventory: file and command are both set, or neither is" in found
    assert "4 mistakes" in found
