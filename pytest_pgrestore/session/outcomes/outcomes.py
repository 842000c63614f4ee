"""From a report of pytest to the outcome of an assertion.

pytest shows a failing assertion with the values it compared. Evidence is kept for years and passed
on, so its message names the line that failed, and holds values only if the user asked for them.
The outcome travels on the report, as plain data, from an xdist worker to the controller.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from pytest_pgrestore.model.damage import CAUSE
from pytest_pgrestore.model.errors import AssertionFailed, PgRestoreError
from pytest_pgrestore.model.evidence import AssertionOutcome
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.privacy.exceptions import (
    READ_ONLY,
    WRITE_HINT,
    message_without_values,
    sqlstate_of,
)
from pytest_pgrestore.privacy.own_words import did_not_run, own_words
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import (
    COMPARED,
    IS_DRILL_CHECK,
    NO_SERVER,
    NOT_MEASURED,
    OTHER_REQUEST,
    SEVERITY,
    VERDICT,
    WHOLE,
    keys_of_drills,
)
from pytest_pgrestore.session.one_test import ERROR, WARN
from pytest_pgrestore.session.outcomes.blame import (
    hint_of,
    is_damaged,
    sql_error_in,
    verdict_of,
)
from pytest_pgrestore.session.outcomes.failed_line import place_of

Excinfo = pytest.ExceptionInfo[BaseException]

ATTRIBUTE = "pgrestore"
"""Attribute of a report: the keys of its drills, and the outcome as plain data.

pytest sends all attributes of a report from a worker to the controller. User properties travel
too, but other plugins write them to their files.
"""

ASKED_NOTHING = "it asked nothing of the restored copy: no fixture gave it to the test"
"""Message of a test that passed and has the marker alone. It is no assertion about the backup."""


def explain(item: pytest.Item, excinfo: Excinfo | None, when: str) -> None:
    """Add a hint to an exception that is no finding, before pytest renders it."""
    if excinfo is None:
        return
    error = excinfo.value
    hint = hint_of(error, when) if drills_of(item) else ""
    if "pgrestore_conn" in getattr(item, "fixturenames", ()) and (
        sqlstate_of(sql_error_in(error)) == READ_ONLY
    ):
        hint = WRITE_HINT
    if hint and hint not in getattr(error, "__notes__", ()):
        error.add_note(hint)


def annotate(item: pytest.Item, excinfo: Excinfo | None, report: pytest.TestReport) -> None:
    """Attach the drills of `item` to `report` and, for a test of the user's, its outcome.

    Args:
        item: The test.
        excinfo: The exception of this phase itself, and no stand-in.
        report: pytest's, which other plugins may have changed.
    """
    drills = drills_of(item)
    usage = item.config.stash[SESSION].fixture_usage
    refusal = usage.refusal_of(item)
    if not drills and not refusal:
        return
    plain, reference = None, item.stash.get(OTHER_REQUEST, None)
    if not item.stash.get(IS_DRILL_CHECK, False):
        outcome = outcome_of(item, excinfo, report)
        in_body = report.when == "call"
        if outcome is not None and in_body and _only_warns(item, outcome, excinfo):
            outcome = replace(outcome, verdict=Verdict.WARNING)
            report.outcome, report.longrepr = "passed", None
        if outcome is not None:
            item.stash[VERDICT] = outcome.verdict
            plain = asdict(outcome) | {"verdict": str(outcome.verdict)}
    mask = item.config.stash[SESSION].redaction.masker.mask
    vars(report)[ATTRIBUTE] = {
        "drills": sorted(drills),
        "reference": None if reference is None else reference.drill.key,
        "outcome": mask(plain),
        "tries": _tries_of(item),
        "databases": usage.databases_of(item),
        "refusal": mask(refusal),
    }


def _tries_of(item: pytest.Item) -> int:
    """Return how often a test was tried, or the one that an item is a part of."""
    usage = item.config.stash[SESSION].fixture_usage
    return usage.tries_of(item.stash.get(WHOLE, item.nodeid))


def _only_warns(item: pytest.Item, outcome: AssertionOutcome, excinfo: Excinfo | None) -> bool:
    """Return whether a test is false, and its author says that it fails no run.

    Damage that it came upon is no assertion of the author's: it stays *failed*.
    """
    if outcome.verdict is not Verdict.FAILED or item.stash.get(SEVERITY, ERROR) != WARN:
        return False
    error = None if excinfo is None else excinfo.value
    return not isinstance(error, PgRestoreError) and not is_damaged(error)


def status_of(report: pytest.TestReport | pytest.CollectReport) -> Any:
    """Return what pytest's terminal shows of a warning; None for any other report."""
    outcome = getattr(report, ATTRIBUTE, {}).get("outcome") or {}
    if outcome.get("verdict") != Verdict.WARNING:
        return None
    return "warned", "W", ("WARNING", {"yellow": True})


def drills_of(item: pytest.Item) -> set[str]:
    """Return the keys of the drills `item` belongs to, by marker, by fixture, or on demand."""
    drills = set(item.config.stash[SESSION].fixture_usage.drills_of(item))
    return drills | set(keys_of_drills(item))


def outcome_of(
    item: pytest.Item, excinfo: Excinfo | None, report: pytest.TestReport
) -> AssertionOutcome | None:
    """Return the outcome of one phase of `item`: setup, call or teardown.

    Returns:
        None if the phase is no outcome: a setup or teardown that passed, or a try that a plugin
        makes again.
    """
    if report.outcome not in {"passed", "failed", "skipped"}:
        return None
    if report.passed and report.when != "call":
        return None
    verdict, message = _verdict_and_message(item, excinfo, report)
    path, line, _ = item.location
    return AssertionOutcome(
        name=item.nodeid,
        verdict=verdict,
        message=message,
        seconds=report.duration,
        file=path,
        line=None if line is None else line + 1,
        tries=_tries_of(item),
    )


def _verdict_and_message(
    item: pytest.Item, excinfo: Excinfo | None, report: pytest.TestReport
) -> tuple[Verdict, str]:
    if report.passed:
        return (Verdict.SKIPPED, ASKED_NOTHING) if _asked_nothing(item) else (Verdict.PASSED, "")
    if report.skipped and excinfo is not None and did_not_run(excinfo.value):
        return Verdict.COULD_NOT_VERIFY, own_words(excinfo.value)
    if report.skipped:
        return Verdict.SKIPPED, _skip_reason(report)
    usage = item.config.stash[SESSION].fixture_usage
    if item.stash.get(NOT_MEASURED, False) or usage.lacks_instance(item):
        return Verdict.COULD_NOT_VERIFY, NO_SERVER
    if excinfo is None:
        return verdict_of(None, report.when), _strict_xpass_reason(report)
    return verdict_of(excinfo.value, report.when), _failure(item, excinfo, report.when)


def _asked_nothing(item: pytest.Item) -> bool:
    """Return whether a test never got the restored copy of its drill: a marker alone asks nothing.

    A test of another kind than a function is never meant.
    """
    usage = item.config.stash[SESSION].fixture_usage
    return isinstance(item, pytest.Function) and not usage.drills_of(item)


def _failure(item: pytest.Item, excinfo: Excinfo, when: str | None) -> str:
    """Return the message of a failure: phase, error, place, and values if they may be shown."""
    from pytest_pgrestore.privacy.tracebacks import FailureRenderer

    redactor = item.config.stash[SESSION].redaction.redactor
    comparison: list[str] = item.stash.get(COMPARED, [])
    renderer = FailureRenderer(item, redactor, comparison)
    message = "\n".join(renderer.message(excinfo.value))
    lines = [message if when == "call" else f"{when}: {message}"]
    cause = sql_error_in(excinfo.value)
    ours = isinstance(excinfo.value, PgRestoreError | AssertionFailed)
    if cause is not None and cause is not excinfo.value and not ours:
        lines.append(f"because of {message_without_values(cause)}")
    if is_damaged(excinfo.value):
        lines.append(CAUSE)
    if not ours:
        lines.append(place_of(item, excinfo))
    lines.append(hint_of(excinfo.value, when))
    if item.config.stash[SESSION].redaction.shows_values:
        # A lone surrogate kills an xdist worker: execnet sends UTF-8.
        lines.append(excinfo.exconly().encode("utf-8", "backslashreplace").decode("utf-8"))
    return "\n".join(line for line in lines if line)


def _skip_reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return f"expected failure: {report.wasxfail}" if report.wasxfail else "expected failure"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return "skipped"


def _strict_xpass_reason(report: pytest.TestReport) -> str:
    """Return pytest's message for a test that passed although ``xfail(strict=True)``."""
    text = str(report.longrepr)
    return text if "XPASS" in text else "failed"
