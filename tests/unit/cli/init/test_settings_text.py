"""What is proposed is read back as it was found, whatever its names are."""

from __future__ import annotations

import ast
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_pgrestore.cli.init.catalogue import Rhythm, rhythm_of
from pytest_pgrestore.cli.init.detectors import database_url
from pytest_pgrestore.cli.init.detectors.file_names import glob_expression, pattern_for, shape
from pytest_pgrestore.cli.init.first_test import first_tests
from pytest_pgrestore.cli.init.proposal import Proposal, ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.settings_text import settings_text, toml_value
from pytest_pgrestore.cli.init.surroundings import literal, name_of
from pytest_pgrestore.cli.init.variables import has_secret
from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.read_file import load_config
from pytest_pgrestore.sources.registry import SOURCE_TABLES

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**60), 2**60), TEXT),
    lambda inside: st.one_of(
        st.lists(inside, max_size=3), st.dictionaries(TEXT, inside, max_size=3)
    ),
    max_leaves=8,
)
HOSTILE = 'a"b\'c\\ \n[sources.x]\ntype = "command"\n# é\u202e ${HOME} $${X} \x1b[31m """'
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def proposal(found: str = "here", **keys: object) -> Proposal:
    """Return one source with these keys."""
    proposed = {name: ProposedKey(value=value) for name, value in keys.items()}
    return Proposal(sources=(ProposedSource(name="shop", found=found, keys=proposed),))


@given(VALUES)
def test_any_value_is_read_back(value: Any) -> None:
    """What a backup, a path or a variable is called ends nothing and begins nothing."""
    assert tomllib.loads(f"key = {toml_value(value)}\n")["key"] == value


@given(TEXT, TEXT, TEXT)
def test_a_whole_file_is_read_back(found: str, key: str, value: str) -> None:
    """A comment has no line of its own in it, and a text names no variable."""
    text = settings_text(proposal(found, type="x", env={key: literal(value)}), {})

    source = {"type": "x", "env": {key: literal(value)}}
    assert tomllib.loads(text) == {"sources": {"shop": source}}


@example("${HOME}")
@example("$${X}")
@given(TEXT.filter(lambda text: "\0" not in text))
def test_the_settings_mean_what_was_found(tmp_path_factory: Any, text: str) -> None:
    """``${`` in a path is a name and no variable: the tables have the path itself."""
    directory = tmp_path_factory.mktemp("settings")
    path = f"/backups/{text}"
    written = settings_text(proposal(text, type="basebackup", path=literal(path)), {})
    (directory / "pgrestore.toml").write_text(written, encoding="utf-8", newline="\n")

    config = load_config(directory / "pgrestore.toml", {}, tables=SOURCE_TABLES)

    read: Any = config.sources["shop"]
    assert read.path == str(Path(path))


def test_hostile_names_add_nothing() -> None:
    """The same by hand, to be seen."""
    text = settings_text(proposal(HOSTILE, type="dump", path=literal(HOSTILE)), {})

    assert list(tomllib.loads(text)["sources"]) == ["shop"]
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_name_that_no_file_of_toml_can_have_is_refused() -> None:
    """Its bytes are no UTF-8."""
    with pytest.raises(ConfigError, match="is no UTF-8"):
        settings_text(proposal(type="dump", path="/backups/\udcff"), {})


@given(TEXT)
def test_every_name_becomes_one(text: str) -> None:
    """It is a key of TOML, part of a file's name and of a name of Python."""
    name = name_of(text, "dump")

    assert name
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not name.startswith("-")


def test_the_first_tests_are_python() -> None:
    """Two names that differ by a dash alone are two functions."""
    tree = ast.parse(first_tests([("a-b", True), ("a_b", False), ("main.repo2", True)]))

    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert names == ["test_a_b_has_tables", "test_a_b_2_has_tables", "test_main_repo2_has_tables"]


@given(
    st.lists(st.text("ab01-_.[]*?", min_size=1, max_size=8), min_size=1, max_size=8, unique=True)
)
def test_a_pattern_stands_for_its_group_alone(names: list[str]) -> None:
    """Whatever else lies there."""
    group = [name for name in names if shape(name) == shape(names[0])]
    others = [name for name in names if name not in group]

    pattern = pattern_for(group, others)

    if pattern is not None:
        import re

        matching = re.compile(glob_expression(pattern))
        assert [name for name in names if matching.fullmatch(name)] == group


@pytest.mark.parametrize(
    ("hours", "newest", "wanted"),
    [
        ((96, 72, 48, 24), 3, "2d"),
        ((18, 12, 6), 1, "12h"),
        ((500, 332, 164), 10, "14d"),
        ((96, 72, 48, 24), 22, None),
    ],
    ids=["daily", "every six hours", "weekly", "the last ones are missing"],
)
def test_the_oldest_acceptable_backup(
    hours: tuple[int, ...], newest: int, wanted: str | None
) -> None:
    """Two intervals: a backup was missed. One that is too old already is told."""
    late = 30 if wanted is None else 0
    ends = [NOW - timedelta(hours=hour + late) for hour in (*hours, newest)]
    backups = [Backup(label="x", location="x", form="x", kind="full", stopped_at=at) for at in ends]

    rhythm = rhythm_of(backups)

    assert rhythm is not None
    key, remark = rhythm.key(NOW)
    assert (key.value if key is not None else None) == wanted
    assert ("look after the job" in remark) is (wanted is None)


def test_one_backup_shows_no_rhythm() -> None:
    """Neither do backups that do not say when they were made."""
    one = Backup(label="x", location="x", form="x", kind="full", stopped_at=NOW)
    silent = Backup(label="x", location="x", form="x", kind="full")

    assert rhythm_of([one]) is None
    assert rhythm_of([one, one, one, silent]) is None
    assert isinstance(Rhythm(NOW, timedelta(1)).key(NOW)[0], ProposedKey)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("s3://bucket/path", False),
        ("ssh://me:pw@host/path", True),
        ("https://a.example/c?sv=1&sig=abc", True),
        ("https://a.example/c?AccessKey=abc", True),
        ("/backups/@home", False),
    ],
)
def test_addresses_with_secrets(value: str, wanted: bool) -> None:
    """A user in an address may be a secret, too."""
    assert has_secret(value) is wanted


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_first_dump_has_no_password(scheme: str) -> None:
    """It would be seen by every user of the machine."""
    url = f"{scheme}://me:s%20cret@db.example:5433/my%20shop?sslmode=require&password=other"

    command = database_url.first_dump({"DATABASE_URL": url})

    assert "host=db.example port=5433 user=me dbname='\"'\"'my shop" in command
    assert "cret" not in command
    assert "other" not in command
    assert ("${DATABASE_URL}" in database_url.remark({"DATABASE_URL": url})) is ("+" not in scheme)


@pytest.mark.parametrize("url", ["", "mysql://me@db/shop", "postgresql://[", "not a url"])
def test_another_database_gives_no_command(url: str) -> None:
    """Nor does a URL that is none."""
    assert database_url.first_dump({"DATABASE_URL": url}) == ""
