"""What a drill found, as one list that every report shows: restore, target, objectives, checks, assertions, teardown.

Imports only values. The worst finding is the drill's verdict, so a report that counts findings cannot disagree with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict, worst
from pytest_pgrestore.reports.format import both, duration, moment, one_line, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_pgrestore.model.evidence import (
        AssertionOutcome,
        Check,
        DrillRecord,
        ObjectiveResult,
    )

RESTORED, TARGET_REACHED, RTO, RPO, TEARDOWN = (
    "restored",
    "target reached",
    "rto",
    "rpo",
    "teardown",
)

SYMBOLS = {
    Verdict.PASSED: "✔",
    Verdict.FAILED: "✖",
    Verdict.COULD_NOT_VERIFY: "?",
    Verdict.SKIPPED: "–",  # noqa: RUF001 - a dash is meant
}
"""Stand beside the words, so that a verdict never rests on colour alone."""

_ORDER = (Verdict.FAILED, Verdict.COULD_NOT_VERIFY, Verdict.SKIPPED, Verdict.PASSED)
"""Bad news first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a drill found out, or did not."""

    name: str
    """Unique in its drill, the same in every run."""
    kind: str
    """``restore``, ``objective``, ``check``, ``assertion`` or ``teardown``."""
    verdict: Verdict
    message: str
    hint: str = ""
    """The next step, a sentence; empty when nothing is wrong or nothing better than the message is known."""
    seconds: float | None = None
    expected: str = ""
    observed: str = ""
    file: str = ""
    line: int | None = None

    @property
    def place(self) -> str:
        """Where an assertion stands, e.g. ``test_shop.py:12``; empty for what is built in."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


def findings(record: DrillRecord) -> tuple[Finding, ...]:
    """Return everything `record` found, in the order of the drill, with names that do not repeat."""
    found: list[Finding] = [_restored(record)]
    found += [_check(check) for check in record.checks if check.name == TARGET_REACHED]
    found += [_not_run(record, name) for name in record.not_run() if name == TARGET_REACHED]
    found += [_objective(record, record.rto), _objective(record, record.rpo)]
    found += [_check(check) for check in record.checks if check.name != TARGET_REACHED]
    found += [_not_run(record, name) for name in record.not_run() if name != TARGET_REACHED]
    found += [_assertion(outcome) for outcome in record.assertions]
    found += _teardown(record)
    if worst(finding.verdict for finding in found) is not record.verdict():
        # A restore alone proves nothing about the data: the drill is not green, and a reader must see why.
        message = "no check, no objective and no assertion ran: a restore alone says nothing about the data"
        hint = "write an assertion, or set an RTO."
        found.append(
            Finding(
                name="something checked",
                kind="check",
                verdict=record.verdict(),
                message=message,
                hint=hint,
            )
        )
    return tuple(_unique(found))


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """Return `found` with bad news first, otherwise in the same order."""
    return sorted(found, key=lambda finding: _ORDER.index(finding.verdict))


def first_cause(record: DrillRecord) -> Finding | None:
    """Return why a drill is not green: the failed restore, else the first finding as bad as the drill."""
    verdict = record.verdict()
    if verdict is Verdict.PASSED:
        return None
    found = findings(record)
    if record.failure is not None and record.failure.verdict is verdict:
        return found[0]
    return next(finding for finding in found if finding.verdict is verdict)


def restore_time(record: DrillRecord) -> float | None:
    """Return the seconds in phases that count toward the RTO; None when no such phase ran."""
    return (
        record.restore_seconds()
        if any(phase.counts_toward_rto for phase in record.phases)
        else None
    )


def target_asked(record: DrillRecord) -> str:
    """Return the target with everything that sets it apart, e.g. ``xid:700 exclusive timeline=2``."""
    return record.drill.removeprefix(f"{record.source}@")


def margin(result: ObjectiveResult) -> str:
    """Return how far a measurement is from its objective, in words; empty where one of them is missing."""
    if result.objective_seconds is None or result.measured_seconds is None:
        return ""
    left = result.objective_seconds - result.measured_seconds
    part = share(abs(left), result.objective_seconds)
    of = f", {part} of the objective" if part else ""
    return f"{both(left)} left{of}" if left >= 0 else f"over by {both(-left)}{of}"


def objective_words(result: ObjectiveResult) -> str:
    """Return measured, objective and margin of an objective in one sentence."""
    subject = "restore took" if result.name == RTO else "data loss is"
    measured = f"{subject} {both(result.measured_seconds)}"
    if result.measured_seconds is None:
        measured = (
            "restore time was not measured" if result.name == RTO else "data loss was not measured"
        )
    name = result.name.upper()
    objective = (
        f"no {name} is set"
        if result.objective_seconds is None
        else f"{name} {both(result.objective_seconds)}"
    )
    rest = margin(result)
    if result.judgement is ObjectiveStatus.NOT_MEASURED and result.measured_seconds is not None:
        rest = "no verdict"
    return f"{measured}, {objective}" + (f", {rest}" if rest else "")


def _restored(record: DrillRecord) -> Finding:
    seconds = restore_time(record)
    if record.failure is None:
        backup = f"backup {record.backup.label}" if record.backup else "the backup"
        message = (
            f"{backup} came up in {both(seconds)}" if seconds is not None else f"{backup} came up"
        )
        return Finding(
            name=RESTORED, kind="restore", verdict=Verdict.PASSED, message=message, seconds=seconds
        )
    failure = record.failure
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
    rto = result.name == RTO
    message = objective_words(result)
    if result.judgement is ObjectiveStatus.NOT_SET and result.objective_seconds is not None:
        message = result.definition
    elif result.judgement is ObjectiveStatus.NOT_MEASURED and result.measured_seconds is not None:
        message = f"{message}: {result.definition}"
    return Finding(
        name=RTO if rto else RPO,
        kind="objective",
        verdict=result.verdict(),
        message=message,
        hint=_objective_hint(record, result),
        # A time here is how long the case took; lost data is not a time anybody waited.
        seconds=result.measured_seconds if rto else None,
        expected=""
        if result.objective_seconds is None
        else f"at most {duration(result.objective_seconds)}",
        observed=duration(result.measured_seconds),
    )


def _objective_hint(record: DrillRecord, result: ObjectiveResult) -> str:
    if result.judgement is ObjectiveStatus.NOT_MEASURED:
        if record.failure is not None:
            return "mend the restore first: nothing can be measured before it."
        return (
            "name a freshness query or a live connection for this source."
            if result.name == RPO
            else ""
        )
    if result.judgement is not ObjectiveStatus.MISSED:
        return ""
    if result.name == RPO:
        return "archive more often (archive_timeout), or look whether archiving stands still."
    counted = [phase for phase in record.phases if phase.counts_toward_rto]
    if not counted:
        return ""
    longest = max(counted, key=lambda phase: phase.seconds)
    return f"the longest phase is {longest.name} with {duration(longest.seconds)}: begin there."


def _check(check: Check) -> Finding:
    return Finding(
        name=check.name,
        kind="check",
        verdict=check.verdict,
        message=check.message,
        # Zero is what a check has that was not timed by itself.
        seconds=check.seconds or None,
        expected=check.expected,
        observed=check.observed,
    )


def _not_run(record: DrillRecord, name: str) -> Finding:
    why = (
        "the restore broke off before it"
        if record.failure is not None
        else "the drill left no result for it"
    )
    return Finding(
        name=name, kind="check", verdict=Verdict.COULD_NOT_VERIFY, message=f"not run: {why}"
    )


def _assertion(outcome: AssertionOutcome) -> Finding:
    return Finding(
        name=outcome.name,
        kind="assertion",
        verdict=outcome.verdict,
        message=outcome.message,
        seconds=outcome.seconds,
        file=outcome.file,
        line=outcome.line,
    )


def _teardown(record: DrillRecord) -> list[Finding]:
    teardown = record.teardown
    if teardown is None:
        return []
    at = "" if teardown.at is None else f", asked at {moment(teardown.at)}"
    return [
        Finding(
            name=TEARDOWN,
            kind="teardown",
            verdict=Verdict.PASSED if teardown.removed else Verdict.COULD_NOT_VERIFY,
            message=f"{one_line(teardown.message, limit=2000)}{at}",
            hint="" if teardown.removed else "remove what is left: it is a copy of production.",
        )
    ]


def _unique(found: Iterable[Finding]) -> Iterator[Finding]:
    """Number names that repeat: readers of JUnit files drop the second of two."""
    taken: set[str] = set()
    for finding in found:
        number, name = 1, finding.name
        while name in taken:
            number += 1
            name = f"{finding.name} #{number}"
        taken.add(name)
        yield finding if name == finding.name else replace(finding, name=name)
