"""Counting statements: quotes and comments hide a semicolon, and nothing else does."""

from __future__ import annotations

import pytest

from pytest_pgrestore.assertions.statement import count_statements

CASES = {
    "select 1": 1,
    "select 1;": 1,
    ";; select 1 ;;": 1,
    "select 1; select 2": 2,
    "set local work_mem = '64MB'; select id from t": 2,
    "": 0,
    " ; ;": 0,
    "-- select id from t": 0,
    "/* a /* b */ ; */ -- c": 0,
    "select ';' where false;": 1,
    "select 'it''s; fine'": 1,
    r"select E'a\'; b'": 1,
    'select 1 as "a;b""c;"': 1,
    "select $$ ; ' $$": 1,
    "select $a$ ; $$ ; $a$": 1,
    "select a$b; select c$b": 2,
    "select $1; select $1": 2,
    "select 1 -- ; select 2\n": 1,
    "select /* ; /* ; */ ; */ 1": 1,
    "sélect; ü$x$": 2,
    r"select '\'; select 1": None,
    "select 'open": None,
    'select "open; select 2': None,
    "select $a$ open; select 2": None,
    "select 1 /* open; select 2": None,
}


@pytest.mark.parametrize("sql", CASES, ids=repr)
def test_statements_are_counted_or_it_is_not_certain(sql: str) -> None:
    """A miscount refuses a good assertion, or judges the first of two results."""
    assert count_statements(sql) == CASES[sql]


def test_counting_is_linear() -> None:
    """A drill file may hold a generated query; a comment that never ends is read once."""
    assert count_statements("/*" * 200_000) is None
    assert count_statements("select 'a''b' || $x$ ; $x$ ;" * 20_000) == 20_000
