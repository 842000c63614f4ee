"""Drill files: collected like tests, judged like tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import NOTE

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills


DRILL = """
source = "shop"
target = "immediate"
rto = "1h"

[[assert]]
name = "all orders"
sql = "select count(*) from orders"
expect = ">= 100"

[[assert]]
name = "no empty note"
sql = "select id from orders where note = ''"
expect = "no rows"
"""


@pytest.mark.everywhere
def test_a_drill_file_is_a_drill_and_shares_it_with_a_test(
    drills: Drills, workers: list[str]
) -> None:
    """The same source and target are the same drill, in a file or in a marker."""
    drills.drill_file("shop", DRILL)
    drills.write(
        test_a="""
            import pytest

            @pytest.mark.pgrestore("shop", target="immediate", rto="1h")
            def test_a(pgrestore_conn): assert pgrestore_conn
        """
    )

    result = drills.run("-rA", *workers)

    assert result.ret == 0
    result.stdout.fnmatch_lines_random(
        ["PASSED pgrestore::shop@immediate::rto", "PASSED drill_shop.toml::all orders"]
    )
    found = drills.record("shop@immediate").assertions
    assert sorted(
        (outcome.name, outcome.verdict, outcome.file, outcome.line) for outcome in found
    ) == [
        ("drill_shop.toml::all orders", "passed", "drill_shop.toml", 6),
        ("drill_shop.toml::no empty note", "passed", "drill_shop.toml", 11),
        ("test_a.py::test_a", "passed", "test_a.py", 3),
    ]
    assert [record.drill for record in drills.evidence().drills] == ["shop@immediate"]


BROKEN = [
    (
        "count",
        "select count(*) from orders",
        '">= 101"',
        "the observed value does not satisfy >= 101",
    ),
    ("rows", "select id from orders", '"no rows"', "expected no rows, the query returned 100"),
    ("no rows", "select 1 where false", '"rows"', "expected rows, the query returned none"),
    ("column", "select discount from orders", '"rows"', "SQLSTATE 42703"),
    (
        "value",
        "select note from orders limit 1",
        '"other"',
        "the observed value does not satisfy = other",
    ),
]
"""Name, query, expectation, and the message if it is false."""


def asserting(name: str, sql: str, expect: str) -> str:
    """Return an assertion as a drill file has it."""
    return f'[[assert]]\nname = "{name}"\nsql = "{sql}"\nexpect = {expect}\n'


def test_assertions_that_are_false_are_reported_without_values(
    drills: Drills, workers: list[str]
) -> None:
    """Counts and verdicts are shown. Each assertion runs, whatever the ones before it found."""
    asked = [asserting(name, sql, expect) for name, sql, expect, _ in BROKEN]
    drills.drill_file("shop", 'source = "shop"\ntarget = "immediate"\n' + "".join(asked))

    result = drills.run(*workers)

    assert result.ret == 1
    found = drills.outcomes("shop@immediate")
    assert len(found) == len(BROKEN)
    for name, _, _, message in BROKEN:
        assert found[name][0] == "failed"
        assert message in found[name][1]
    messages = "".join(message for _, message in found.values())
    assert NOTE not in result.stdout.str() + messages


def test_an_assertion_that_cannot_be_judged_could_not_verify(
    drills: Drills, workers: list[str]
) -> None:
    """A text cannot be compared with five."""
    asked = asserting("kinds", "select 'many'", '">= 5"')
    drills.drill_file("shop", f'source = "shop"\ntarget = "immediate"\n{asked}')

    result = drills.run(*workers)

    assert result.ret == 6
    (outcome,) = drills.record("shop@immediate").assertions
    assert outcome.verdict == "could not verify"
    assert "the query returns a text" in outcome.message


def test_a_drill_file_runs_once_for_each_copy(drills: Drills) -> None:
    """One copy is good, the other one was never written: a verdict each."""
    drills.settings(
        """
        [sources.shop.copies]
        near = {}
        far = { path = "/nonexistent" }
        """
    )
    drills.drill_file("shop", DRILL.replace('source = "shop"', 'source = "shop.*"'))

    result = drills.run("-v")

    assert drills.record("shop.near@immediate").verdict() == "passed"
    assert drills.record("shop.far@immediate").verdict() == "could not verify"
    assert "shop@immediate" not in result.stdout.str()


QUERIES = {
    "do": ("do $$ begin end $$", "no rows", "could not verify", "the statement returns no rows"),
    "typo": ("selec 1", "1", "could not verify", "the query has a mistake: SyntaxError"),
    "zero": ("select 1 / 0", "1", "could not verify", "the query has a mistake: DivisionByZero"),
    "two": (
        r"select '\\'; select '\\' where false",
        "no rows",
        "could not verify",
        "exactly one statement",
    ),
    "write": ("delete from orders", "no rows", "could not verify", "set `writable = true`"),
    "literal": (
        "select * from orders where id = 'x'",
        "no rows",
        "could not verify",
        "the query has a mistake: InvalidTextRepresentation",
    ),
    "gone": ("select count(*) from not_there", "1", "failed", "UndefinedTable"),
    "string": ("select ';' where false;", "no rows", "passed", ""),
}
"""By name: SQL, the expected answer, the verdict, and what the message says."""


def test_a_mistake_in_a_query_is_no_finding_about_the_backup(drills: Drills) -> None:
    """A drill file asks one question; the first of two answers is not its answer."""
    lines = (
        f'[[assert]]\nname = "{name}"\nsql = """{sql}"""\nexpect = "= 1"\n'.replace(
            "= 1" if expect == "no rows" else "\0", expect
        )
        for name, (sql, expect, _, _) in QUERIES.items()
    )
    drills.drill_file("shop", 'source = "shop"\n' + "".join(lines))

    result = drills.run()

    assert result.ret == 1
    outcomes = drills.outcomes()
    for name, (_, _, verdict, told) in QUERIES.items():
        assert outcomes[name][0] == verdict, name
        assert told in outcomes[name][1], name
