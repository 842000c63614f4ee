"""Mistakes in a drill file: all of them at once, each with the assertion's own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.errors import MistakesError
from pytest_pgrestore.session.collection.drill_suite import read_drill

if TYPE_CHECKING:
    from pathlib import Path

ONE = '[[assert]]\nname = "one"\nsql = "select 1"\nexpect = 1\n'

MISTAKES = {
    'tmeout = "5s"\n' + ONE: "tmeout: unknown key\nHINT: did you mean timeout?",
    '[[asserts]]\nname = "x"\n': "asserts: unknown key\nHINT: did you mean assert?",
    'timeout = "5"\n' + ONE: "timeout: not a duration\nHINT: write it with its unit",
    'source = ["a", { target = "latest" }]\n' + ONE: "source.1.source: missing\n",
    "source = []\n" + ONE: "source: a source, or a list of them, is expected\n",
    ONE + "expct = 1\n": "assert 'one': expct: unknown key\nHINT: did you mean expect?",
    '[[assert]]\nsql = "select 1"\nexpect = 1\n': "assert number 1: name: missing\n",
    ONE + 'compare = "erp"\n': "assert 'one': compare: a table is expected here\n"
    "HINT: write compare = { key = value }.",
    ONE + "show = 5\n": "assert 'one': show: true or columns are expected\n",
    ONE + "params = { x = { y = 1 } }\n": "assert 'one': params: params: x is a table\n",
    ONE + 'severity = "warning"\n': "assert 'one': severity: unknown word\n"
    "HINT: write 'error' or 'warn'.",
    ONE + 'set = "x"\n': "assert 'one': set: a table is expected here\n",
    ONE + 'within = "5 percent"\n': "assert 'one': within: within = '5 percent' is no tolerance\n",
    ONE + 'key = "id"\n': "assert 'one': key needs another side\n",
    ONE + 'tables = "erp.*"\n': "assert 'one': tables needs a place for each name\n"
    "HINT: write {table} in sql.",
    ONE + ONE: "assert: two are called 'one'\n",
    ONE.replace(
        "= 1", '= "betwen 1 and 5"'
    ): "assert 'one': expect: expect = 'betwen 1 and 5' is not"
    " understood\nHINT: did you mean 'between'?",
    ONE.replace("select 1", "select :hihg") + "params = { high = 1 }\n": "assert 'one': unknown"
    " parameter :hihg\nHINT: did you mean high?",
    ONE.replace("select 1", "select 1; select 2"): "assert 'one': sql: holds 2 statements",
    ONE.replace("select 1", "-- nothing"): "assert 'one': sql: holds no statement",
    'sql_file = "none/*.sql"\n': "sql_file: nothing matches 'none/*.sql' in ",
    'sql_file = "typo.sql"\n': "typo.sql: expct is no key of an assertion\nHINT: did you mean",
    'sql_file = "empty.sql"\n': "empty.sql: sql: holds no statement\n",
    'params_file = "none.toml"\n' + ONE: "params_file: could not read ",
    'sql_file = "below.sql"\n': "below.sql: expect stands below the comment at the top\n",
    'sql_file = "block.sql"\n': "block.sql: expect stands below the comment at the top\n",
    'sql_file = "list.sql"\n': "list.sql: the value of show is not valid TOML\n",
    ONE.replace("= 1", '= "no rows"') + "show = true\n": "show = true is for a single value\n",
    'source = ["a", { source = "b", traget = "latest" }]\n' + ONE: "HINT: did you mean target?",
    'source = "x"\n': "no assertion\nHINT: write an [[assert]]",
}


@pytest.mark.parametrize(("text", "told"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_a_mistake_is_told_with_its_place_and_the_next_step(
    tmp_path: Path, text: str, told: str
) -> None:
    """In the words of the file."""
    (tmp_path / "typo.sql").write_text("-- expct: rows\nselect 1\n")
    (tmp_path / "empty.sql").write_text("-- expect: rows\n")
    (tmp_path / "below.sql").write_text("select 1\n-- expect: rows\n")
    (tmp_path / "block.sql").write_text("/* expect: rows */\nselect 1\n")
    (tmp_path / "list.sql").write_text("-- show: [id, note]\nselect 1\n")
    path = tmp_path / "drill_a.toml"
    path.write_text(text)

    with pytest.raises(MistakesError) as caught:
        read_drill(path)

    assert told in str(caught.value)
    assert str(caught.value).count("HINT: ") == 1


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Those of SQL files, too."""
    (tmp_path / "typo.sql").write_text("-- expct: rows\nselect 1\n")
    path = tmp_path / "drill_a.toml"
    path.write_text('sql_file = "typo.sql"\ntimeout = "5"\n' + ONE + "expct = 1\n")

    with pytest.raises(MistakesError) as caught:
        read_drill(path)

    assert str(caught.value).count("HINT: ") == 3


def test_the_comment_of_a_sql_file_may_be_prose(tmp_path: Path) -> None:
    """A colon alone makes no key."""
    (tmp_path / "a.sql").write_text(
        "-- Name: orders\n-- Note: asked by finance\n-- See https://example.org\n"
        "-- expect: >= 1\n-- show: id, note\n\nselect 1 -- expct: no key here\n, key::text\n"
    )
    path = tmp_path / "drill_a.toml"
    path.write_text('source = "x"\nsql_file = "*.sql"\nseverity = "warn"\n')

    (only,) = read_drill(path).assertions

    assert (only.table.name, only.table.severity) == ("orders", "warn")
    assert only.table.expect is not None
    assert only.table.expect.text == ">= 1"
    assert only.table.show == ("id", "note")
