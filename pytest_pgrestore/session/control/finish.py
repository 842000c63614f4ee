"""The end of a run: remove copies, make evidence, write reports, choose the exit status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.evidence import Teardown
from pytest_pgrestore.model.exit_status import COULD_NOT_VERIFY
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.control.coverage import undrilled
from pytest_pgrestore.session.control.past import compared, coverage, past_drills, proven
from pytest_pgrestore.session.control.problems import NO_DRILL, find_problems
from pytest_pgrestore.session.control.proofs import left_out
from pytest_pgrestore.session.control.run_reports import evidence_of
from pytest_pgrestore.session.own_faults import own_fault

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_pgrestore.model.evidence import DrillRecord, Evidence
    from pytest_pgrestore.restore.drill import DrillResult
    from pytest_pgrestore.session.drill_session import DrillSession
    from pytest_pgrestore.session.outcomes.received import Outcomes

_JUDGED_BY_US = frozenset(
    {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}
)
"""Exit statuses of pytest that the drills may change."""


_BROKEN_OFF: Mapping[int, str] = {
    pytest.ExitCode.USAGE_ERROR: (
        "pytest ended with a usage error, or another plugin ended it without a session: see its"
        " output"
    ),
    pytest.ExitCode.INTERNAL_ERROR: (
        "pytest ended with an internal error: its output has the traceback, and whose code it is"
    ),
}
"""The problem of a run by its exit status, when pytest gave up."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The result of a run.

    Attributes:
        exit_status: Of the process.
        evidence: None if there is nothing to report.
        paths: The reports by name.
        remarks: For the terminal: what was kept, what could not be removed or written.
        told: What others are told of; also where pytest gave up. None if nothing is.
    """

    exit_status: int
    evidence: Evidence | None = None
    paths: Mapping[str, Path] | None = None
    remarks: tuple[str, ...] = ()
    told: Evidence | None = None


def close(
    state: DrillSession, outcomes: Outcomes, exit_status: int, interruption: str | None
) -> RunEnd:
    """Remove the copies and write the reports. Called once per run.

    Args:
        state: The run's drills.
        outcomes: Of its tests.
        exit_status: The one that pytest would end with.
        interruption: Why the run ended early, as the end of a sentence; None if it did not.
    """
    remarks: list[str] = []
    records = tuple(_settle(state, outcomes, remarks)) if state.opened else ()
    left = left_out(state, records)
    faults = _remove_run(state, remarks) if state.opened else []
    if not records and not state.settings.asked_for:
        return RunEnd(exit_status, remarks=tuple(remarks))
    broken = _BROKEN_OFF.get(exit_status)
    whole = broken is None and interruption is None
    problems = [broken] if broken is not None else []
    past = None
    if broken is None:  # otherwise the settings may be what is wrong
        unread: list[str] = []
        past = past_drills(state, unread)
        records = proven(state, compared(state, records, past, unread), unread)
        problems += find_problems(state, records, outcomes, interruption, left)
        problems += unread
    problems += faults
    covered = coverage(state, records, past, problems) if whole else None
    # Without strictness a run without drills is no fault. It proves nothing either.
    unimportant = not records and not problems and not left
    if unimportant:
        problems = [NO_DRILL]
    evidence = evidence_of(
        state.start,
        state.environ,
        drills=records,
        problems=tuple(problems),
        undrilled=undrilled(state, records, outcomes) if whole else (),
        left_out=left,
        coverage=covered,
    )
    paths, written = _write(state, evidence, remarks)
    if records or not (unimportant or broken):
        written = _remember(state, evidence, remarks) and written
    if unimportant or broken is not None:
        told = None if unimportant else evidence
        return RunEnd(exit_status, remarks=tuple(remarks), told=told)
    status = choose_exit_status(exit_status, evidence, outcomes, written=written)
    return RunEnd(status, evidence, paths, tuple(remarks), told=evidence)


def _remove_run(state: DrillSession, remarks: list[str]) -> list[str]:
    """Remove the run's directory; return the problem if our code failed, or a plugin's."""
    try:
        remarks += [f"could not remove {path}" for path in state.run.close()]
    except Exception as exc:  # noqa: BLE001 - the reports must still be written
        fault = own_fault(exc, "removing the directory of the run", state.logs)
        return [f"{fault.problem}; {fault.hint}"]
    return []


def close_after_fault(state: DrillSession, exit_status: int, error: Exception) -> RunEnd:
    """Report that `close` raised, whatever it was, and leave nothing behind.

    Args:
        state: The run's drills.
        exit_status: The one that pytest would end with.
        error: What it raised.
    """
    fault = own_fault(error, "ending the run", state.logs)
    remarks: list[str] = []
    problems = [f"{fault.problem}; {fault.hint}"]
    if state.opened:
        problems += _remove_run(state, remarks)
    evidence = evidence_of(state.start, state.environ, problems=tuple(problems))
    paths, _ = _write(state, evidence, remarks)
    status = exit_status if exit_status != pytest.ExitCode.OK else COULD_NOT_VERIFY
    return RunEnd(status, evidence, paths, tuple(remarks), told=evidence)


def choose_exit_status(
    exit_status: int, evidence: Evidence, outcomes: Outcomes, *, written: bool = True
) -> int:
    """Return the exit status of a run with drills.

    A failure is worse than what could not be verified. An interruption stays one.

    Args:
        exit_status: The one that pytest would end with.
        evidence: Of the run.
        outcomes: Of its tests.
        written: Whether every report was written.
    """
    if exit_status not in _JUDGED_BY_US:
        return exit_status
    verdict = evidence.verdict()
    if verdict is Verdict.FAILED or outcomes.ordinary_failures:
        return int(pytest.ExitCode.TESTS_FAILED)
    if not evidence.is_green or outcomes.drill_failures or not written:
        return COULD_NOT_VERIFY
    return exit_status


def finish_one(state: DrillSession, key: str, result: DrillResult) -> None:
    """Check the running copy of a drill once more, then remove it. A second call does nothing."""
    from pytest_pgrestore.restore.drill import Finish, finish_drill

    if key in state.finished:
        return
    try:
        state.finished[key] = finish_drill(state.run, key, result.access, state.logs)
    except Exception as exc:  # noqa: BLE001 - the other drills must still be removed
        known = isinstance(exc, PgRestoreError | OSError)
        error = exc if known else own_fault(exc, f"removing the copy of {key}", state.logs)
        why = error.problem if isinstance(error, PgRestoreError) else error
        message = f"the removal failed: {why}"
        teardown = Teardown(removed=False, message=message, at=datetime.now(UTC))
        state.finished[key] = Finish((), teardown, ())


def _settle(state: DrillSession, outcomes: Outcomes, remarks: list[str]) -> Iterable[DrillRecord]:
    """Yield the record of every drill with its assertions; its copy is removed or kept now."""
    keep = state.settings.switch("keep") and state.run.time_limit_error() is None
    for key, result in state.results.results().items():
        record = replace(result.record, assertions=outcomes.of(key))
        if keep and key not in state.finished and record.verdict() is not Verdict.PASSED:
            remarks.append(f"kept {key}: {state.run.keep_drill(key)}")
            yield replace(record, notes=(*record.notes, "the copy was kept at the user's request"))
            continue
        finish_one(state, key, result)
        finish = state.finished[key]
        yield replace(
            record,
            checks=(*record.checks, *finish.checks),
            teardown=finish.teardown,
            logs=tuple(dict.fromkeys((*record.logs, *finish.logs))),
        )


def _remember(state: DrillSession, evidence: Evidence, remarks: list[str]) -> bool:
    """Add the run to the history, if there is one; return whether that was done."""
    place = state.settings.history
    if place is None:
        return True
    from pytest_pgrestore.history.ledger import Ledger
    from pytest_pgrestore.history.store import open_store
    from pytest_pgrestore.model.evidence_json import to_json

    try:
        Ledger(open_store(place)).add(evidence, to_json(evidence))
    except PgRestoreError as exc:
        remarks.append(f"this run is not in the history: {exc}")
        return False
    except Exception as exc:  # noqa: BLE001 - the reports are there, and must not be lost by it
        fault = own_fault(exc, "adding the run to the history", state.logs)
        remarks.append(f"this run is not in the history: {fault}")
        return False
    return True


def _write(
    state: DrillSession, evidence: Evidence, remarks: list[str]
) -> tuple[Mapping[str, Path], bool]:
    """Write the reports; return their paths, and whether all of them were written."""
    from pytest_pgrestore.reports.write import ReportsIncompleteError, write_all

    try:
        return write_all(evidence, state.logs.parent), True
    except ReportsIncompleteError as exc:
        remarks.append(str(exc))
        return exc.paths, False
