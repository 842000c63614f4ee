"""What scripts of pgTAP print, and what of it is shown."""

from __future__ import annotations

import pytest

from pytest_pgrestore.assertions.tap import TapResult, read_tap, sql_of
from pytest_pgrestore.model.errors import ConfigError, HarnessError

SCRIPT = "select plan(3); select has_table('orders'); select is(1, 2, 'as many'); select ok(x, y);"
OUTPUT = """1..3
ok 1 - Table orders should exist
not ok 2 - as many
# Failed test 2: "as many"
#         have: 1
#         want: 2
ok 3 - Bob Miller
"""


def test_results_have_the_words_of_the_script_and_no_others() -> None:
    """A description may be made of a row; what pgTAP says of a failure is."""
    first, second, third = read_tap(OUTPUT, SCRIPT)

    assert first == TapResult(1, ok=True, title="Table orders should exist", left_out="")
    assert (second.ok, second.title) == (False, "as many")
    assert "have: 1" in second.details
    assert (third.ok, third.title) == (True, "")


@pytest.mark.parametrize(
    ("line", "left_out"),
    [
        ("ok 1 # SKIP not here", "skip"),
        ("not ok 1 # TODO later", "todo"),
        ("ok 1 - as many", ""),
        ("not ok 1", ""),
    ],
)
def test_what_is_skipped_or_to_do_does_not_count(line: str, left_out: str) -> None:
    """As the script says."""
    (result,) = read_tap(f"1..1\n{line}\n", SCRIPT)

    assert result.left_out == left_out


@pytest.mark.parametrize(
    "output",
    ["", "1..2\nok 1\n", "1..1\nok 1\nok 2\n", "ok 1\n", "1..1\nBail out!  gone\n", "1..0\n"],
)
def test_a_script_that_ran_other_tests_than_planned_says_nothing(output: str) -> None:
    """It may have died in the middle."""
    with pytest.raises(HarnessError):
        read_tap(output, SCRIPT)


def test_commands_of_psql_about_printing_are_left_out() -> None:
    """Scripts of pgTAP begin with them; one that reads a file cannot be left out."""
    assert sql_of("\\set ON_ERROR_ROLLBACK 1\nselect 1;\n  \\pset pager off\n", "a").split() == [
        "select",
        "1;",
    ]
    with pytest.raises(ConfigError, match=r"psql's command \\ir"):
        sql_of("\\ir other.sql\n", "a")
