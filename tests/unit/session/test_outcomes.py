"""What an exception says about the backup, and what may be told of it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.privacy.exceptions import describe
from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE, Outcomes, verdict_of


class Report:
    """As much of a report as is read."""

    def __init__(
        self, name: str, verdict: str, context: Any = None, *, failed: bool = False
    ) -> None:
        self.failed = failed
        self.context = context
        outcome = {
            "name": name,
            "verdict": verdict,
            "message": "",
            "seconds": 0.1,
            "file": "",
            "line": None,
        }
        vars(self)[ATTRIBUTE] = {"drills": ["a@latest", "b@latest"], "outcome": outcome}


class Context:
    """Of a subtest."""

    msg = "loop"
    kwargs: dict[str, str] = {}  # noqa: RUF012 - as pytest's


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (AssertionError(), "failed"),
        (KeyError("x"), "failed"),
        (psycopg.errors.UndefinedColumn(), "failed"),
        (psycopg.errors.DataCorrupted(), "failed"),
        (psycopg.errors.IndexCorrupted(), "failed"),
        (psycopg.ProgrammingError("the query has 0 placeholders"), "failed"),
        (BackupNotRestorable("x", "y"), "failed"),
        (psycopg.errors.DiskFull(), "could not verify"),
        (psycopg.errors.OutOfMemory(), "could not verify"),
        (psycopg.errors.AdminShutdown(), "could not verify"),
        (psycopg.errors.QueryCanceled(), "could not verify"),
        (psycopg.OperationalError("server closed the connection"), "could not verify"),
        (HarnessError("x", "y"), "could not verify"),
        (ConfigError("x", "y"), "could not verify"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_in_a_test_is_blamed_on_the_right_one(error: Exception, verdict: str) -> None:
    """A full disk is not a bad backup; a damaged page is."""
    assert verdict_of(error, "call") == verdict


def test_an_error_around_a_test_says_nothing_about_the_backup() -> None:
    """The assertion was never asked."""
    assert verdict_of(KeyError("x"), "setup") == "could not verify"
    assert verdict_of(BackupNotRestorable("x", "y"), "setup") == "failed"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AssertionError("secret"), "AssertionError"),
        (KeyError("secret"), "KeyError"),
        (
            psycopg.errors.InvalidTextRepresentation("secret"),
            "InvalidTextRepresentation (SQLSTATE 22P02)",
        ),
        (psycopg.errors.UniqueViolation("secret"), "UniqueViolation (SQLSTATE 23505)"),
        (HarnessError("no disk", "free it."), "no disk\nHINT: free it."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_is_told_of_an_error_holds_no_value(error: Exception, text: str) -> None:
    """Messages of assertions and of data errors quote rows."""
    assert describe(error) == text


def test_outcomes_are_kept_by_drill_and_the_worst_phase_counts() -> None:
    """A teardown that fails takes the green from a test that passed, and a rerun does not give it back."""
    outcomes = Outcomes()
    for verdict in ("passed", "could not verify", "passed"):
        outcomes.add(Report("test_a", verdict))  # type: ignore[arg-type]

    assert outcomes.drills() == ["a@latest", "b@latest"]
    assert [outcome.verdict for outcome in outcomes.of("a@latest")] == ["could not verify"]


def test_subtests_of_one_name_are_counted_apart() -> None:
    """A loop without a message is five assertions, not one."""
    outcomes = Outcomes()
    for _ in range(3):
        outcomes.add(Report("test_a", "passed", Context()))  # type: ignore[arg-type]

    assert [outcome.name for outcome in outcomes.of("a@latest")] == [
        "test_a [loop]",
        "test_a [loop] #2",
        "test_a [loop] #3",
    ]


def test_failures_are_told_apart_by_whether_a_drill_is_concerned() -> None:
    """An ordinary failing test fails the run whatever the drills say."""
    outcomes = Outcomes()
    ordinary = Report("test_a", "failed", failed=True)
    del vars(ordinary)[ATTRIBUTE]
    outcomes.add(ordinary)  # type: ignore[arg-type]
    outcomes.add(Report("test_b", "failed", failed=True))  # type: ignore[arg-type]

    assert (outcomes.ordinary_failures, outcomes.drill_failures) == (1, 1)


class LostReport:
    """As much of the report of a drill's own item as is read, when its xdist worker died."""

    failed = True
    nodeid = "pgrestore::a@latest::target reached"

    def __init__(self, *, own: bool) -> None:
        vars(self)[ATTRIBUTE] = {"drills": ["a@latest"], "outcome": None, "lost": own}


@pytest.mark.parametrize(
    ("own", "lost"), [(True, ["pgrestore::a@latest::target reached"]), (False, [])]
)
def test_a_check_whose_worker_died_is_remembered(own: bool, lost: list[str]) -> None:
    """The record of its drill may be without a flaw: the restore was over by then."""
    outcomes = Outcomes()

    outcomes.add(LostReport(own=own))  # type: ignore[arg-type]

    assert outcomes.lost == lost
    assert outcomes.drill_failures == 1
