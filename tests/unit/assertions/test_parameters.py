"""Parameters of an assertion's SQL: where a colon begins one, and where it does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pgrestore.assertions.parameters import bind, checked
from pytest_pgrestore.assertions.statement import tokens
from pytest_pgrestore.model.errors import ConfigError

KNOWN = ("low", "high", "n")


@pytest.mark.parametrize(
    ("sql", "bound"),
    [
        ("select :low", "select %(low)s"),
        ("where a>:low and b<=:high", "where a>%(low)s and b<=%(high)s"),
        ("where a in (:low,:high)", "where a in (%(low)s,%(high)s)"),
        ("select :low::int", "select %(low)s::int"),
        ("select a::text", "select a::text"),
        ("select a[1:n], b[low:high], c[:n]", "select a[1:n], b[low:high], c[%(n)s]"),
        ("select 'x :low', \":low\", $$ :low $$", "select 'x :low', \":low\", $$ :low $$"),
        ("select 1 -- :low\n/* :low */", "select 1 -- :low\n/* :low */"),
        ("select json_object('k':n)", "select json_object('k':n)"),
        ("where a like '5%' and b % 2 = :n", "where a like '5%%' and b %% 2 = %(n)s"),
        ("select x := 1", "select x := 1"),
    ],
)
def test_a_parameter_is_found_where_it_is_one(sql: str, bound: str) -> None:
    """As in psql, but for slices and JSON."""
    assert bind(sql, KNOWN).text == bound


def test_an_unknown_parameter_is_a_mistake() -> None:
    """It would be a syntax error of the server, in the middle of the night."""
    with pytest.raises(ConfigError, match="unknown parameter :hihg\nHINT: did you mean high"):
        bind("select :hihg", KNOWN)


class Every(frozenset[str]):
    """Every name is known."""

    def __contains__(self, name: object) -> bool:
        """Return True."""
        return isinstance(name, str)


@given(st.text(alphabet="ab'\"$:-/*;\\ \n[]().%1"))
def test_the_pieces_are_the_text(sql: str) -> None:
    """Nothing is lost or added, whatever is written."""
    assert "".join(token.text for token in tokens(sql)) == sql
    assert bind(sql, Every()).text.count("%%") == sql.count("%")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"Low": 1}, "no name of a parameter"),
        ({"a-b": 1}, "no name of a parameter"),
        ({"backup_at": 1}, "given by the drill"),
        ({"a": {"b": 1}}, "is a table"),
    ],
)
def test_a_parameter_that_cannot_be_bound_is_refused(values: dict[str, Any], told: str) -> None:
    """Before anything is restored."""
    with pytest.raises(ConfigError, match=told):
        checked(values, "params")
    assert checked({"low": [1, 2]}, "params") == {"low": [1, 2]}
