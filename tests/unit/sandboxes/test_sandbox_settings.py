"""Settings of a sandbox, made from the table of the settings file by name."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pytest_pgrestore.sandboxes.settings import DockerSettings, LocalSettings, SandboxSettings
from pytest_pgrestore.settings.read_file import SandboxTable

GIVEN = {
    "directory": Path("/somewhere"),
    "timeout_seconds": 1.0,
    "max_lifetime_seconds": 2.0,
}


@pytest.mark.parametrize("kind", [DockerSettings, LocalSettings])
def test_an_empty_table_leaves_every_default(kind: type[SandboxSettings]) -> None:
    """Defaults of the table and of the settings must not differ."""
    assert kind.from_table(dict(SandboxTable())) == kind()


def test_every_field_comes_from_the_table_or_is_given_with_its_unit() -> None:
    """A field that is renamed on one side would silently keep its default."""
    from_table = {field.name for field in fields(DockerSettings)} - set(GIVEN)

    assert from_table <= set(SandboxTable.model_fields)


def test_overrides_win_and_lists_become_tuples() -> None:
    """Flags win over the file; settings are values that cannot change."""
    table = SandboxTable(packages=["postgis"], memory="2g", image="a")

    made = DockerSettings.from_table(dict(table), image="b", **GIVEN)

    assert (made.packages, made.memory, made.image) == (("postgis",), "2g", "b")
    assert (made.directory, made.timeout_seconds) == (Path("/somewhere"), 1.0)
