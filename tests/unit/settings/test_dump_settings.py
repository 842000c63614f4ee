"""The keys of `type = "dump"` that say what a dump is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.target import Latest, parse_target
from pytest_pgrestore.settings.read_file import load_config
from pytest_pgrestore.sources.dump.table import DumpTable
from pytest_pgrestore.sources.registry import SOURCE_TABLES, make_source


def table_of(directory: Path, text: str, **environ: str) -> DumpTable:
    """Return the table of a source with these lines."""
    path = directory / "pgrestore.toml"
    path.write_text(f'[sources.shop]\ntype = "dump"\n{text}\n')
    table = load_config(path, environ, tables=SOURCE_TABLES).sources["shop"]
    assert isinstance(table, DumpTable)
    return table


def test_several_files_keep_their_order(tmp_path: Path) -> None:
    """Each is relative to the settings file."""
    table = table_of(tmp_path, 'path = ["roles.sql", "/b/data.sql"]')

    assert table.path == (f"{tmp_path}/roles.sql", "/b/data.sql")
    assert make_source("shop", table, 60).places == (tmp_path / "roles.sql", Path("/b/data.sql"))


def test_secrets_are_named_and_never_shown(tmp_path: Path) -> None:
    """The file has the names only."""
    table = table_of(
        tmp_path, 'path = "x"\ndecrypt = ["age", "-d"]\nsecrets = ["KEY"]', KEY="an owl"
    )

    assert table.secrets["KEY"].reveal() == "an owl"
    assert "an owl" not in repr(table)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path = []", "several files in order"),
        ("path = [1]", "several files in order"),
        ("path = 1", "several files in order"),
        ('path = "x"\nsecrets = ["NOT_SET"]', "NOT_SET is not set"),
        ('path = "x"\ncomplete = "yes"', "sources.shop.complete"),
        ('path = "x"\ndecrypt = "gpg"', r'HINT: write decrypt = \["gpg", '),
        ('path = "x"\ntaken_at = "shop-%Y%m%d.sql"', r"has no zone\nHINT: write .*Europe/Berlin"),
        ('path = "x"\ntaken_at = 5', r"has no date\nHINT: write"),
        ('path = "x"\ndecrypt = []', "decrypt is empty"),
        ('path = "x"\ndecrypt = ["openssl", "-pass", "pass:owl"]', "among its arguments"),
    ],
)
def test_a_wrong_value_is_a_usage_error(tmp_path: Path, text: str, words: str) -> None:
    """Before anything is restored."""
    with pytest.raises(ConfigError, match=words):
        table_of(tmp_path, text)


def test_a_dump_has_no_target_but_latest(tmp_path: Path) -> None:
    """It is a usage error when tests are collected, and no restore that fails."""
    table = table_of(tmp_path, 'path = "x"')

    table.require_target("shop", Latest())
    with pytest.raises(ConfigError, match="cannot be recovered to lsn:0/16B6C50"):
        table.require_target("shop", parse_target("lsn:0/16B6C50"))
