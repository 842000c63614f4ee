"""Drill files: collected like tests, judged like tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

BOTH = pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one-process", "xdist"])

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


@BOTH
def test_a_drill_file_is_a_drill(drills: Drills, workers: list[str]) -> None:
    """No Python needed."""
    drills.drill_file("shop", DRILL)

    result = drills.run("-rA", *workers)

    assert result.ret == 0
    result.stdout.fnmatch_lines_random(["PASSED pgrestore::shop@immediate::rto", "PASSED drill_shop.toml::all orders"])
    found = drills.record("shop@immediate").assertions
    assert sorted((outcome.name, outcome.verdict, outcome.file, outcome.line) for outcome in found) == [
        ("drill_shop.toml::all orders", "passed", "drill_shop.toml", 6),
        ("drill_shop.toml::no empty note", "passed", "drill_shop.toml", 11),
    ]


def test_a_drill_file_and_a_test_share_one_restore(drills: Drills) -> None:
    """The same source and target are the same drill, wherever they stand."""
    drills.drill_file("shop", DRILL.replace('rto = "1h"', ""))
    drills.write(
        test_a="""
            import pytest

            @pytest.mark.pgrestore("shop", target="immediate")
            def test_a(pgrestore_conn): pass
        """
    )

    result = drills.run()

    assert result.ret == 0
    assert len(drills.record("shop@immediate").assertions) == 3


@BOTH
@pytest.mark.parametrize(
    ("sql", "expect", "verdict", "status", "message"),
    [
        ("select count(*) from orders", '">= 101"', "failed", 1, "the observed value does not satisfy >= 101"),
        ("select id from orders", '"no rows"', "failed", 1, "expected no rows, the query returned 100"),
        ("select 1 where false", '"rows"', "failed", 1, "expected rows, the query returned none"),
        ("select discount from orders", '"rows"', "failed", 1, "SQLSTATE 42703"),
        ("select note from orders limit 1", '"other"', "failed", 1, "the observed value does not satisfy = other"),
        ("delete from orders", '"no rows"', "failed", 1, "SQLSTATE 25006"),
        ("select 'many'", '">= 5"', "could not verify", 6, "the query returns a text"),
    ],
    ids=["count", "rows", "no rows", "column", "value", "write", "kinds"],
)
def test_an_assertion_that_does_not_hold_is_told_without_values(
    drills: Drills, workers: list[str], sql: str, expect: str, verdict: str, status: int, message: str
) -> None:
    """Expected against observed, as counts and verdicts."""
    drills.drill_file(
        "shop", f'source = "shop"\ntarget = "immediate"\n[[assert]]\nname = "x"\nsql = "{sql}"\nexpect = {expect}\n'
    )

    result = drills.run(*workers)

    assert result.ret == status
    (outcome,) = drills.record("shop@immediate").assertions
    assert outcome.verdict == verdict
    assert message in outcome.message
    assert "secret-note" not in result.stdout.str() + outcome.message


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
