"""A setting nobody can find does not exist: the pages on settings and assertions know all."""

from __future__ import annotations

import inspect
import re

import pytest

from pytest_pgrestore.assertions.expectation import NO_ROWS, OPERATORS, ROWS, SAME_ROWS
from pytest_pgrestore.assertions.parameters import GIVEN
from pytest_pgrestore.assertions.table import AssertTable
from pytest_pgrestore.model.exit_status import COULD_NOT_VERIFY
from pytest_pgrestore.session import fixtures
from pytest_pgrestore.session.collection.drill_table import OF_FILE, DrillTable
from pytest_pgrestore.session.marker import ARGUMENTS, OF_TEST
from pytest_pgrestore.settings.inventory_table import InventoryTable
from pytest_pgrestore.settings.mistakes import keys_of
from pytest_pgrestore.settings.notice_tables import MetricsTable, NotifyTable
from pytest_pgrestore.settings.options import SETTINGS, Setting
from pytest_pgrestore.settings.read_file import HistoryTable, ReportsTable, SandboxTable
from pytest_pgrestore.settings.toml import Table
from pytest_pgrestore.sources.registry import SOURCE_TABLES
from tests.project import ROOT

TEXT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ASSERTIONS = (ROOT / "docs" / "assertions.md").read_text(encoding="utf-8")

KEYS = [
    (f"sources: {kind}", table, "### `[sources.NAME]`") for kind, table in SOURCE_TABLES.items()
] + [
    ("sandbox", SandboxTable, "### `[sandbox]`"),
    ("reports", ReportsTable, "### `[reports]`"),
    ("history", HistoryTable, "### `[history]`"),
    ("notify", NotifyTable, "### `[notify]`"),
    ("metrics", MetricsTable, "### `[metrics]`"),
    ("inventory", InventoryTable, "### `[inventory]`"),
]


def section(heading: str, page: str = TEXT) -> str:
    """Return what stands below `heading`, up to the next one."""
    _, found, rest = page.partition(f"\n{heading}\n")
    assert found, heading
    return re.split(r"\n##", rest, maxsplit=1)[0]


def rows(heading: str, page: str = TEXT) -> set[str]:
    """Return the names in the first column of the tables below `heading`."""
    cells = re.findall(r"^\| (`[^|]*) \|", section(heading, page), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_has_its_row(setting: Setting) -> None:
    """Flag, ini key, variable and file key in one row."""
    file_key = f"`{setting.file_key}`" if setting.file_key else ""
    row = f"| `{setting.flag}` | `{setting.key}` | `{setting.variable}` | {file_key} |".replace(
        "|  |", "| |"
    )

    assert row in TEXT
    assert setting.no_flag in TEXT


@pytest.mark.parametrize(
    ("table", "heading"), [entry[1:] for entry in KEYS], ids=[entry[0] for entry in KEYS]
)
def test_every_key_of_the_settings_file_has_its_row(table: type[Table], heading: str) -> None:
    """Both ways: a row of a key that has gone misleads."""
    known = set(keys_of(table))
    of_all = (
        {key for other in SOURCE_TABLES.values() for key in keys_of(other)}
        if "sources" in heading
        else known
    )

    assert known <= rows(heading)
    assert rows(heading) <= of_all


def test_every_marker_argument_has_its_row() -> None:
    """Both ways."""
    assert rows("## The marker") == {*ARGUMENTS, *OF_TEST}


def test_every_fixture_has_its_row() -> None:
    """Both ways."""
    public = {
        name
        for name, found in vars(fixtures).items()
        if name.startswith("pgrestore") and found is not None
    }

    assert rows("## The fixtures") == public


def test_every_key_of_a_drill_file_has_its_row() -> None:
    """The keys beside the assertions are those of the marker."""
    told = rows("## Drill files", ASSERTIONS)

    assert set(keys_of(DrillTable)) <= told
    assert {f"assert.{key}" for key in keys_of(AssertTable)} <= told
    assert set(keys_of(DrillTable)) - {"assert", *OF_FILE} == set(ARGUMENTS)


def test_every_expectation_is_told() -> None:
    """An operator nobody knows is never used."""
    text = section("## What may be expected", ASSERTIONS)

    for word in (NO_ROWS, ROWS, SAME_ROWS, "between", "about", "matches"):
        assert f'`"{word}' in text
    assert all(f"`{sign}`" in text or f"{sign} 1000" in text for sign in OPERATORS)


def test_every_parameter_of_a_drill_is_told() -> None:
    """Whoever does not know `:backup_at` writes `now()`, which is the hour of the drill."""
    assert rows("## Parameters", ASSERTIONS) == {f":{name}" for name in GIVEN}


def test_every_exit_status_is_told() -> None:
    """A pipeline decides by them."""
    told = re.findall(r"^\| (\d) \|", section("## Exit statuses"), re.MULTILINE)

    assert {int(number) for number in told} == {*map(int, pytest.ExitCode), COULD_NOT_VERIFY}


def test_every_fixture_has_an_advert() -> None:
    """The first line of a fixture is its advert in ``pytest --fixtures``."""
    for name in rows("## The fixtures"):
        assert inspect.getdoc(getattr(fixtures, name))
