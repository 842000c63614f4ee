"""Keys and values of before 1.0: the error of each names what it is called today."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pgrestore.settings.mistakes import keys_of
from pytest_pgrestore.settings.read_file import SandboxTable
from pytest_pgrestore.settings.source_tables import ToolTable
from pytest_pgrestore.settings.toml import Table
from pytest_pgrestore.sources.registry import SOURCE_TABLES
from tests.unit.settings.files import load_config, mistakes

PGBACKREST = '[sources.a]\ntype = "pgbackrest"\nstanza = "main"\n'
COMMAND = """
[sources.a]
type = "command"
list = ["l"]
fetch = ["f", "{backup}", "{data}"]
wal_list = ["w"]
wal_fetch = ["w", "{file}", "{path}"]
"""

RENAMED_IN_SOURCES = [
    ('[sources.a]\ntype = "dump"\npath = "x"\n', "live", '"host=db"', "live_conninfo"),
    (PGBACKREST, "live", '"host=db"', "live_conninfo"),
    (PGBACKREST, "tool", '"host"', "tool_location"),
    (PGBACKREST, "processes", "4", "process_max"),
    (COMMAND, "tool", '"host"', "tool_location"),
    (COMMAND, "wal", '["w", "{file}", "{path}"]', "wal_fetch"),
    (COMMAND, "reads", '["/backups"]', "read_paths"),
    ('[sources.a]\ntype = "barman"\nserver = "s"\n', "tool", '"image"', "tool_location"),
    ('[sources.a]\ntype = "walg"\n', "tool", '"host"', "tool_location"),
]
"""A source, a key of before 1.0 with a value, and the name of the key today."""


@pytest.mark.parametrize(("source", "old", "value", "new"), RENAMED_IN_SOURCES)
def test_an_old_key_of_a_source_is_refused_with_its_new_name(
    write: Any, source: str, old: str, value: str, new: str
) -> None:
    """Whoever upgrades needs only the message; a copy may have the old key too."""
    there = mistakes(write(f"{source}{old} = {value}\n"))
    in_copy = mistakes(write(f"{source}copies.far = {{ {old} = {value} }}\n"))

    assert f"sources.a.{old}: unknown key\nHINT: it is called {new} now." in there
    assert f"sources.a.copies.far.{old}: unknown key\nHINT: it is called {new} now." in in_copy


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("base", '"debian:13"', "base_image"),
        ("reach", '"port"', "connect_by"),
        ("processes", "512", "pids_limit"),
        ("time_limit", '"1h"', "max_lifetime"),
    ],
)
def test_an_old_key_of_the_sandbox_is_refused_with_its_new_name(
    write: Any, old: str, value: str, new: str
) -> None:
    """Whoever upgrades needs only the message."""
    text = mistakes(write(f"[sandbox]\n{old} = {value}\n"))

    assert f"sandbox.{old}: unknown key\nHINT: it is called {new} now." in text


@pytest.mark.parametrize(
    "table", [SandboxTable, *SOURCE_TABLES.values()], ids=lambda table: table.__name__
)
def test_every_old_key_has_a_key_of_today(table: type[Table]) -> None:
    """A typo in the list of old names would send users from one unknown key to the next."""
    known = keys_of(table)

    assert set(table.renamed.values()) <= set(known)
    assert not set(table.renamed) & set(known)


def test_the_old_place_of_a_tool_is_refused_with_its_new_name(write: Any) -> None:
    """`tool = "image"` was renamed twice: the key and the value."""
    text = mistakes(write(PGBACKREST + 'tool_location = "image"\n'))

    assert "sources.a.tool_location: `image` is called `container` now" in text
    assert 'HINT: write tool_location = "container".' in text


def test_a_tool_runs_in_a_container_unless_the_file_says_host(write: Any) -> None:
    """The tool of an image fits the backup's server; this machine's may not."""
    for line, on_host in (
        ("", False),
        ('tool_location = "container"', False),
        ('tool_location = "host"', True),
    ):
        table = load_config(write(f"{PGBACKREST}{line}\n"), {}).sources["a"]
        assert isinstance(table, ToolTable)
        assert table.on_host == on_host
        assert table.program == "pgbackrest"
