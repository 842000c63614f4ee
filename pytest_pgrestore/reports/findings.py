"""The list of what a drill found, which every report shows. Imports only values.

The worst finding is the verdict of the drill, so a report that counts findings agrees with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.verdict import Verdict, worst
from pytest_pgrestore.reports.format import both, duration, moment, one_line
from pytest_pgrestore.reports.wording import RPO, RTO, objective_hint, objective_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_pgrestore.model.evidence import (
        AssertionOutcome,
        Check,
        DrillRecord,
        Failure,
        ObjectiveResult,
    )

RESTORED, TARGET_REACHED, TEARDOWN = "restored", "target reached", "teardown"
"""Names of findings beside those of the objectives, of the other checks and of the assertions."""

SYMBOLS = {
    Verdict.PASSED: "✔",
    Verdict.FAILED: "✖",
    Verdict.COULD_NOT_VERIFY: "?",
    Verdict.WARNING: "!",
    Verdict.SKIPPED: "–",  # noqa: RUF001 - a dash is meant
}
"""Shown beside the word of a verdict, so that nobody depends on colours."""

BAD = frozenset({Verdict.FAILED, Verdict.COULD_NOT_VERIFY, Verdict.WARNING})
"""Verdicts that a reader must see: verified bad, not verified, or bad and only a warning."""

_ORDER = (
    Verdict.FAILED,
    Verdict.COULD_NOT_VERIFY,
    Verdict.WARNING,
    Verdict.SKIPPED,
    Verdict.PASSED,
)
"""Bad news first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of a drill: something verified, or something that could not be verified."""

    name: str
    """Unique in its drill, the same in every run."""
    kind: str
    """``restore``, ``objective``, ``check``, ``assertion`` or ``teardown``."""
    verdict: Verdict
    message: str
    hint: str = ""
    """The next step, a sentence; "" if nothing is wrong or no advice is known."""
    seconds: float | None = None
    expected: str = ""
    observed: str = ""
    file: str = ""
    line: int | None = None

    @property
    def place(self) -> str:
        """Where the assertion is, e.g. ``test_shop.py:12``; "" for built-in findings."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


def findings(record: DrillRecord) -> tuple[Finding, ...]:
    """Return all findings of `record`, in the order of the drill. No name occurs twice."""
    checks = [_check(check) for check in record.checks]
    checks += [_not_run(record, name) for name in record.not_run()]
    found = [
        _restored(record),
        *(finding for finding in checks if finding.name == TARGET_REACHED),
        _objective(record, record.rto),
        _objective(record, record.rpo),
        *(finding for finding in checks if finding.name != TARGET_REACHED),
        *(_assertion(outcome) for outcome in record.assertions),
        *_teardown(record),
    ]
    if worst(finding.verdict for finding in found) is not record.verdict():
        found.append(_nothing_checked(record))
    return tuple(_unique(found))


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """Return `found` with bad news first, otherwise in the same order."""
    return sorted(found, key=lambda finding: _ORDER.index(finding.verdict))


def first_cause(record: DrillRecord) -> Finding | None:
    """Return the finding that explains the verdict; None for a drill that passed.

    It is the failed restore, otherwise the first finding that is as bad as the drill.
    """
    verdict = record.verdict()
    if verdict is Verdict.PASSED:
        return None
    found = findings(record)
    if record.failure is not None and record.failure.verdict is verdict:
        return found[0]
    return next(finding for finding in found if finding.verdict is verdict)


def _restored(record: DrillRecord) -> Finding:
    counted = any(phase.counts_toward_rto for phase in record.phases)
    seconds = record.restore_seconds() if counted else None
    if record.failure is not None:
        return _not_restored(record.failure, seconds)
    backup = f"backup {record.backup.label}" if record.backup else "the backup"
    time = "" if seconds is None else f" in {both(seconds)}"
    return Finding(
        name=RESTORED,
        kind="restore",
        verdict=Verdict.PASSED,
        message=f"{backup} came up{time}",
        seconds=seconds,
    )


def _not_restored(failure: Failure, seconds: float | None) -> Finding:
    phase = f" (in phase {failure.phase})" if failure.phase else ""
    return Finding(
        name=RESTORED,
        kind="restore",
        verdict=failure.verdict,
        message=f"{failure.problem}{phase}",
        hint=failure.hint,
        seconds=seconds,
    )


def _objective(record: DrillRecord, result: ObjectiveResult) -> Finding:
    rto, limit = result.name == RTO, result.objective_seconds
    return Finding(
        name=RTO if rto else RPO,
        kind="objective",
        verdict=result.verdict(),
        message=objective_message(result) + ("" if rto else _problem(record)),
        hint=objective_hint(record, result),
        # `seconds` is how long something took. Lost data took nobody's time.
        seconds=result.measured_seconds if rto else None,
        expected="" if limit is None else f"at most {duration(limit)}",
        observed=duration(result.measured_seconds),
    )


def _problem(record: DrillRecord) -> str:
    """Return why the data loss was not measured, after the objective's sentence; may be empty."""
    return f": {record.data_loss.problem}" if record.data_loss.problem else ""


def _check(check: Check) -> Finding:
    return Finding(
        name=check.name,
        kind="check",
        verdict=check.verdict,
        message=check.message,
        # A check that was not timed has zero seconds.
        seconds=check.seconds or None,
        expected=check.expected,
        observed=check.observed,
    )


def _not_run(record: DrillRecord, name: str) -> Finding:
    broken = record.failure is not None
    why = "the restore broke off before it" if broken else "the drill left no result for it"
    return Finding(
        name=name, kind="check", verdict=Verdict.COULD_NOT_VERIFY, message=f"not run: {why}"
    )


def _assertion(outcome: AssertionOutcome) -> Finding:
    return Finding(
        name=outcome.name,
        kind="assertion",
        verdict=outcome.verdict,
        message=_with_tries(outcome),
        seconds=outcome.seconds,
        file=outcome.file,
        line=outcome.line,
    )


def _with_tries(outcome: AssertionOutcome) -> str:
    """Return the message, with the number of tries where there was more than one."""
    if outcome.tries == 1:
        return outcome.message
    tries = f"try {outcome.tries} of this test; the last try counts"
    return f"{outcome.message}\n{tries}" if outcome.message else tries


def _teardown(record: DrillRecord) -> Iterator[Finding]:
    teardown = record.teardown
    if teardown is None:
        return
    at = "" if teardown.at is None else f", asked at {moment(teardown.at)}"
    yield Finding(
        name=TEARDOWN,
        kind="teardown",
        verdict=Verdict.PASSED if teardown.removed else Verdict.COULD_NOT_VERIFY,
        message=f"{one_line(teardown.message, limit=2000)}{at}",
        hint="" if teardown.removed else "remove what is left: it is a copy of production.",
    )


def _nothing_checked(record: DrillRecord) -> Finding:
    """Explain why a drill is not green although each of its findings is."""
    return Finding(
        name="something checked",
        kind="check",
        verdict=record.verdict(),
        message="no check, no objective and no assertion ran:"
        " a restore alone says nothing about the data",
        hint="write an assertion, or set an RTO.",
    )


def _unique(found: Iterable[Finding]) -> Iterator[Finding]:
    """Number names that repeat: readers of JUnit files drop the second of two equal names."""
    taken: set[str] = set()
    for finding in found:
        number, name = 1, finding.name
        while name in taken:
            number += 1
            name = f"{finding.name} #{number}"
        taken.add(name)
        yield finding if name == finding.name else replace(finding, name=name)
