"""Sentences about the target and the objectives, the same in every report. Imports only values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.reports.format import both, duration, moment, share

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_pgrestore.model.evidence import DrillRecord, Evidence, LeftOut, ObjectiveResult

RTO, RPO = "rto", "rpo"
"""Names of the two objectives in the evidence."""


def undrilled_words(evidence: Evidence) -> str:
    """Return the sentence about configured sources that were left out; "" if there are none."""
    names = ", ".join(evidence.undrilled)
    return f"configured, and drilled by no test of this full run: {names}" if names else ""


NOTHING_DUE = "nothing was due"


def left_out_words(one: LeftOut) -> str:
    """Return why a drill was not due and what stands for it, in one sentence."""
    backup = f", backup {one.backup}" if one.backup else ""
    proof = f"proven at {moment(one.proven_at)} by run {one.proven_by}{backup}"
    return f"not due: {one.why}; {proof}; {expiry_words(one.fresh_until)}"


def expiry_words(fresh_until: datetime | None) -> str:
    """Return when a proof expires, as a sentence without a full stop."""
    if fresh_until is None:
        return "this proof does not expire: its source has no every"
    return f"this proof expires at {moment(fresh_until)}"


def target_asked(record: DrillRecord) -> str:
    """Return the target with all its options, e.g. ``xid:700 exclusive timeline=2``."""
    return record.drill.removeprefix(f"{record.source}@")


def margin(result: ObjectiveResult) -> str:
    """Return how far the measurement is from the objective; "" if either is missing."""
    if result.objective_seconds is None or result.measured_seconds is None:
        return ""
    left = result.objective_seconds - result.measured_seconds
    part = share(abs(left), result.objective_seconds)
    of = f", {part} of the objective" if part else ""
    return f"{both(left)} left{of}" if left >= 0 else f"over by {both(-left)}{of}"


def objective_words(result: ObjectiveResult) -> str:
    """Return measurement, objective and margin in one sentence, without a full stop."""
    parts = [_measurement(result), _objective(result), _margin_or_no_verdict(result)]
    return ", ".join(part for part in parts if part)


def objective_message(result: ObjectiveResult) -> str:
    """Return the message of an objective's finding: the sentence, or why it was not judged."""
    measured = result.measured_seconds is not None
    if result.judgement is ObjectiveStatus.NOT_SET and result.objective_seconds is not None:
        return result.definition
    if result.judgement is ObjectiveStatus.NOT_MEASURED and measured:
        return f"{objective_words(result)}: {result.definition}"
    return objective_words(result)


def objective_hint(record: DrillRecord, result: ObjectiveResult) -> str:
    """Return what to do about an objective; "" if it is met, or if no advice is known."""
    if result.judgement is ObjectiveStatus.NOT_MEASURED:
        return _hint_to_measure(record, result)
    if result.judgement is not ObjectiveStatus.MISSED:
        return ""
    if result.name == RPO:
        return "archive more often (archive_timeout), or look whether archiving stands still."
    return _hint_for_a_slow_restore(record)


def _measurement(result: ObjectiveResult) -> str:
    rto = result.name == RTO
    if result.measured_seconds is None:
        return "restore time was not measured" if rto else "data loss was not measured"
    return f"{'restore took' if rto else 'data loss is'} {both(result.measured_seconds)}"


def _objective(result: ObjectiveResult) -> str:
    name = result.name.upper()
    if result.objective_seconds is None:
        return f"no {name} is set"
    return f"{name} {both(result.objective_seconds)}"


def _margin_or_no_verdict(result: ObjectiveResult) -> str:
    # The figure proves nothing, e.g. the last commit of an idle database: a margin would mislead.
    if result.judgement is ObjectiveStatus.NOT_MEASURED and result.measured_seconds is not None:
        return "no verdict"
    return margin(result)


def _hint_to_measure(record: DrillRecord, result: ObjectiveResult) -> str:
    if record.failure is not None:
        return "mend the restore first: nothing can be measured before it."
    if result.name == RPO and record.data_loss.hint:
        return record.data_loss.hint
    if result.name == RPO:
        return "name a freshness query or a live connection for this source."
    return ""


def _hint_for_a_slow_restore(record: DrillRecord) -> str:
    counted = [phase for phase in record.phases if phase.counts_toward_rto]
    if not counted:
        return ""
    longest = max(counted, key=lambda phase: phase.seconds)
    return f"the longest phase is {longest.name} with {duration(longest.seconds)}: begin there."
