"""What was drilled of all that is configured, and what an inventory has beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.history.coverage import Configured, coverage_of
from pytest_pgrestore.history.inventory import compare, read_inventory
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.outlook import coverage_lines
from tests.unit.evidence_samples import failed, healthy_dump
from tests.unit.history.made import DAY, NOW, drill

if TYPE_CHECKING:
    from pytest_pgrestore.history.entry import PastDrill
    from pytest_pgrestore.model.evidence import DrillRecord
    from pytest_pgrestore.model.past import Coverage

SOURCES = {
    "shop": Configured(("shop",), 7 * DAY),
    "crm": Configured(("crm",), 30 * DAY),
    "audit": Configured(("audit",), None),
}


def crm() -> DrillRecord:
    """A drill of `crm` now, with two assertions that asked `crm`, and one that was skipped."""
    record = healthy_dump(started_at=NOW, databases=("billing", "crm"))
    asked = [replace(one, databases=("crm",)) for one in record.assertions]
    asked[2] = replace(asked[2], databases=("billing",), verdict=Verdict.SKIPPED)
    return replace(record, assertions=tuple(asked))


def covered(*records: DrillRecord, past: list[PastDrill] | None = None) -> Coverage:
    """The coverage of a full run."""
    return coverage_of(SOURCES, records, past, now=NOW, days=30 * DAY, full=True)


def test_a_run_and_the_days_before_it() -> None:
    """Drills, green ones, and what is overdue."""
    past = [drill(8), drill(50), drill(29, source="crm", verdict=Verdict.FAILED)]

    audit, crm_, shop = covered(crm(), past=past).sources

    assert (audit.drills, audit.past_drills, audit.overdue) == (0, 0, False)
    assert (crm_.drills, crm_.green, crm_.past_drills, crm_.past_green) == (1, 1, 2, 1)
    assert not crm_.overdue
    assert (shop.drills, shop.past_drills, shop.overdue) == (0, 1, True)
    assert shop.last_green_at == NOW - 8 * DAY


@pytest.mark.parametrize(
    ("days_ago", "verdict", "overdue"),
    [
        (6.9, Verdict.PASSED, False),
        (7, Verdict.PASSED, True),
        (1, Verdict.FAILED, True),
        (None, Verdict.PASSED, True),
    ],
)
def test_a_drill_that_the_policy_asks_for_and_nobody_ran(
    days_ago: float | None, verdict: Verdict, overdue: bool
) -> None:
    """Its proof has expired, or it never had one."""
    past = [] if days_ago is None else [drill(days_ago, verdict=verdict)]

    assert covered(past=past).sources[-1].overdue is overdue


def test_a_restore_of_which_nothing_was_asserted_is_no_green_drill() -> None:
    """`pgrestore status` says the same."""
    (*_, shop) = covered(past=[drill(1, assertions={"skipped": 2}), drill(8)]).sources

    assert shop.overdue
    assert shop.last_green_at == NOW - 8 * DAY
    assert shop.past_green == 1


def test_a_source_that_this_run_drilled_is_not_overdue() -> None:
    """Red is told elsewhere."""
    assert not covered(failed(), past=[drill(100)]).sources[-1].overdue


def test_without_a_history_nothing_of_the_past_is_claimed() -> None:
    """Not known is not zero."""
    found = covered(crm())

    assert [one.past_drills for one in found.sources] == [None, None, None]
    assert not any(one.overdue for one in found.sources)
    assert dict(coverage_lines(found))["Drilled"] == "1 of 3 sources in this run"


def test_databases_that_no_assertion_asked() -> None:
    """A skipped one asked nothing; an old one is known from the history."""
    past = [drill(5, databases={"shop": 3, "stock": 0}), drill(90, databases={"stock": 2})]

    found = covered(crm(), past=past)

    of_crm = {one.name: one.assertions for one in found.sources[1].databases}
    of_shop = {one.name: one.last_asserted_at for one in found.sources[2].databases}
    assert of_crm == {"billing": 0, "crm": 2}
    assert of_shop == {"shop": NOW - 5 * DAY, "stock": None}
    lines = dict(coverage_lines(found))
    assert lines["Databases"] == (
        "assertions asked 1 of 4 databases; never: crm/billing, shop/stock"
    )
    assert lines["Not drilled in 30 d"] == "audit"
    assert lines["Drilled"] == "1 of 3 sources in this run; in 30 d 2, of which 2 had a green drill"


def test_what_is_overdue_is_named_with_its_interval() -> None:
    """In words that need no lookup."""
    lines = dict(coverage_lines(covered(past=[drill(8)])))

    assert lines["Overdue, and not drilled by this run"] == (
        "crm (every 30 d, no green drill yet), shop (every 7 d, last green drill 2026-06-07)"
    )


INVENTORY = """\
# made by the CMDB
cluster-a
cluster-b/crm

cluster-b/audit
cluster-c/scratch
"""


def test_an_inventory_is_one_name_a_line() -> None:
    """Comments and empty lines are none."""
    assert read_inventory(INVENTORY) == [
        "cluster-a",
        "cluster-b/crm",
        "cluster-b/audit",
        "cluster-c/scratch",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "a//b", "/a", "a\x1bb", "a" * 301])
def test_what_is_no_inventory_is_refused(text: str) -> None:
    """An empty one would make every run green."""
    with pytest.raises(ConfigError) as caught:
        read_inventory(text)

    assert "CLUSTER/DATABASE" in caught.value.hint


@pytest.mark.parametrize(
    ("covers", "ignored", "uncovered", "unlisted"),
    [
        ({"a": ["cluster-a"], "b": ["cluster-b"]}, ["cluster-c"], (), ()),
        (
            {"a": ["cluster-a"], "b": ["cluster-b/crm"]},
            [],
            ("cluster-b/audit", "cluster-c/scratch"),
            (),
        ),
        ({"a": ["cluster-a/shop"], "b": ["cluster-b", "cluster-c"]}, [], ("cluster-a",), ()),
        (
            {"a": ["cluster-a"], "b": ["cluster-b"], "old": ["cluster-z"]},
            ["cluster-c/scratch"],
            (),
            ("old",),
        ),
        ({"a": ["cluster"]}, ["cluster-b", "cluster-c"], ("cluster-a",), ("a",)),
    ],
)
def test_an_inventory_against_the_sources(
    covers: dict[str, list[str]],
    ignored: list[str],
    uncovered: tuple[str, ...],
    unlisted: tuple[str, ...],
) -> None:
    """Both ways; a database is no cluster."""
    found = compare("file", read_inventory(INVENTORY), covers, ignored)

    assert found.uncovered == uncovered
    assert found.unlisted == unlisted
    assert found.listed == 4


def test_the_days_looked_back_are_told() -> None:
    """30 by default."""
    found = coverage_of(SOURCES, [], [], now=NOW, days=timedelta(days=7), full=False)

    assert dict(coverage_lines(found))["Drilled"].startswith(
        "0 of 3 sources in this run of a part of the tests; in 7 d 0"
    )
