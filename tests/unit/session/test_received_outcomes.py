"""Outcomes are collected by drill, from the reports as they arrive."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

import pytest

from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE
from pytest_pgrestore.session.outcomes.received import Outcomes

CHECK = "pgrestore::a@latest::target reached"


def report(name: str, outcome: Literal["passed", "failed"] = "passed") -> pytest.TestReport:
    """Return the report of a test that belongs to no drill."""
    return pytest.TestReport(name, ("", None, name), {}, outcome, None, "call")


def drill_report(
    name: str, verdict: str, context: Any = None, *, failed: bool = False
) -> pytest.TestReport:
    """Return the report of a test that belongs to two drills, or of a subtest of it."""
    made = report(name, "failed" if failed else "passed")
    outcome = {"name": name, "verdict": verdict, "message": "", "seconds": 0.1, "file": ""}
    vars(made)[ATTRIBUTE] = {"drills": ["a@latest", "b@latest"], "outcome": outcome}
    vars(made)["context"] = context
    return made


def of_try(number: int, made: pytest.TestReport) -> pytest.TestReport:
    """Return the report as one of this try of its test."""
    attached = vars(made)[ATTRIBUTE]
    attached["tries"] = attached["outcome"]["tries"] = number
    return made


def test_outcomes_are_kept_by_drill_and_the_worst_phase_counts() -> None:
    """A teardown that fails makes a test that passed red, and a rerun does not change that."""
    outcomes = Outcomes()
    for verdict in ("passed", "could not verify", "passed"):
        outcomes.add(drill_report("test_a", verdict))

    assert outcomes.drills() == ["a@latest", "b@latest"]
    assert [outcome.verdict for outcome in outcomes.of("a@latest")] == ["could not verify"]


def test_subtests_of_one_name_are_counted_apart() -> None:
    """A loop without a message is three assertions, not one."""
    outcomes = Outcomes()
    for _ in range(3):
        outcomes.add(drill_report("test_a", "passed", SimpleNamespace(msg="loop", kwargs={})))

    assert [outcome.name for outcome in outcomes.of("a@latest")] == [
        "test_a [loop]",
        "test_a [loop] #2",
        "test_a [loop] #3",
    ]


@pytest.mark.parametrize(
    ("message", "arguments", "name"),
    [
        ("loop", {"table": "orders"}, "test_a [loop] (table=orders)"),
        ("loop", {"table": "'orders'"}, "test_a [loop] (table=orders)"),
        (None, {"table": "\"'orders'\""}, "test_a (table=orders)"),
        (None, {"table": "'no end"}, "test_a (table='no end)"),
        (None, {}, "test_a (subtest)"),
    ],
    ids=["plain", "quoted", "quoted twice", "a quote of its own", "neither"],
)
def test_a_subtest_has_the_same_name_with_and_without_workers(
    message: str | None, arguments: dict[str, str], name: str
) -> None:
    """Pytest quotes the arguments of a subtest once in a worker, and once more at home."""
    outcomes = Outcomes()

    outcomes.add(drill_report("test_a", "passed", SimpleNamespace(msg=message, kwargs=arguments)))

    assert [outcome.name for outcome in outcomes.of("a@latest")] == [name]


def test_failures_are_counted_by_whether_they_belong_to_a_drill() -> None:
    """An ordinary failing test fails the run, whatever the drills found."""
    outcomes = Outcomes()
    outcomes.add(report("test_a", "failed"))
    outcomes.add(drill_report("test_b", "failed", failed=True))

    assert (outcomes.ordinary_failures, outcomes.drill_failures) == (1, 1)


@pytest.mark.parametrize(("own", "lost"), [(True, [CHECK]), (False, [])])
def test_a_check_whose_worker_died_is_remembered(own: bool, lost: list[str]) -> None:
    """The record of its drill may have no flaw: the restore was over by then."""
    outcomes = Outcomes()
    died = report(CHECK, "failed")
    vars(died)[ATTRIBUTE] = {"drills": ["a@latest"], "outcome": None, "lost": own}

    outcomes.add(died)

    assert outcomes.lost == lost
    assert outcomes.drill_failures == 1


def test_the_last_try_replaces_the_others_and_their_subtests() -> None:
    """A plugin runs the test again; the worst phase of that run counts, and no earlier one.

    Some plugins do not report a try that they make again, and its subtests are reported.
    """
    outcomes = Outcomes()
    one = SimpleNamespace(msg="one", kwargs={})
    outcomes.add(drill_report("test_a (eu)", "failed", failed=True))
    for tries, verdict, word in ((1, "failed", "rerun"), (2, "failed", ""), (3, "passed", "")):
        subtest = of_try(tries, drill_report("test_a", verdict, one))
        made = of_try(tries, drill_report("test_a", verdict))
        outcomes.add(subtest)
        made.outcome = word or made.outcome  # type: ignore[assignment]  # plugins add words
        if tries != 2:
            outcomes.add(made)

    found = {each.name: (str(each.verdict), each.tries) for each in outcomes.of("a@latest")}
    assert found == {
        "test_a (eu)": ("failed", 1),
        "test_a [one]": ("passed", 3),
        "test_a": ("passed", 3),
    }


def test_the_worst_outcome_of_a_test_that_was_collected_twice_counts() -> None:
    """With --keep-duplicates; no plugin took the first one back."""
    outcomes = Outcomes()
    outcomes.add(of_try(1, drill_report("test_a", "failed", failed=True)))
    outcomes.add(of_try(2, drill_report("test_a", "passed")))

    assert [outcome.verdict for outcome in outcomes.of("a@latest")] == ["failed"]


def test_a_try_that_is_made_again_is_no_outcome() -> None:
    """The run may end before the next one: the test has then no outcome."""
    outcomes = Outcomes()
    made = drill_report("test_a", "failed")
    made.outcome = "rerun"  # type: ignore[assignment]  # of pytest-rerunfailures
    outcomes.add(made)

    assert outcomes.of("a@latest") == ()


@pytest.mark.parametrize("name", ["::test_a", "test_a[\u202e]", f"test_a[{'x' * 3000}]"])
def test_a_test_is_known_whose_name_is_shown_otherwise(name: str) -> None:
    """Evidence makes names visible and short: the test had not "ended" then."""
    outcomes = Outcomes()
    outcomes.add(drill_report(name, "passed", SimpleNamespace(msg="one", kwargs={})))

    assert not outcomes.has("a@latest", name)

    outcomes.add(drill_report(name, "passed"))

    assert outcomes.has("a@latest", name)
    assert len(outcomes.of("a@latest")) == 2
