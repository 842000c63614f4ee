"""Why a run is not green although its drills may be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.control.coverage import undrilled

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pytest_pgrestore.model.evidence import DrillRecord, LeftOut
    from pytest_pgrestore.session.drill_session import DrillSession
    from pytest_pgrestore.session.outcomes.received import Outcomes

NO_DRILL = "no drill ran"
_HOW = "a test with @pytest.mark.pgrestore makes one, and so does a file drill_*.toml"

_RAN = frozenset({Verdict.PASSED, Verdict.FAILED, Verdict.WARNING})
"""Verdicts of assertions that ran."""

_NEXT_HINT = "\nHINT: "

_OPTIMIZED = (
    "Python ran with -O or PYTHONOPTIMIZE, which removes assertions: a test that only asserts "
    "checked nothing; run pytest without it"
)


def find_problems(
    state: DrillSession,
    records: Iterable[DrillRecord],
    outcomes: Outcomes,
    interruption: str | None,
    left_out: Iterable[LeftOut] = (),
) -> list[str]:
    """Return why the run is not green, beside the verdicts of its drills."""
    not_due = {one.drill for one in left_out}
    records = list(records)
    strict = state.settings.asked_for and state.settings.switch("strict")
    problems = [] if interruption is None else [f"the run was interrupted{interruption}"]
    if sys.flags.optimize:
        problems.append(_OPTIMIZED)
    if state.refusal is not None:
        refusal = f"{state.refusal.problem}; {state.refusal.hint}"
        problems.append(f"there was no place to restore to: {refusal}")
    problems += [f"the xdist worker that ran {name} died" for name in outcomes.lost]
    problems += [
        f"{name or 'the session'} could not be collected, so its tests did not run; the output "
        "of pytest has the error"
        for name in outcomes.not_collected
    ]
    for name, why in outcomes.refused.items():
        one_line = why.replace(_NEXT_HINT, "; ").replace("\n", " ")
        problems.append(f"{name} asked for a drill that cannot be: {one_line}")
    if state.refusal is None:
        problems += _not_restored(records, outcomes, not_due, strict=strict)
    if interruption is None and state.settings.switch("strict_sources"):
        problems += [
            f"source {name} is configured, and no test drilled it"
            for name in undrilled(state, records, outcomes)
        ]
    if strict and not problems and (records or not not_due):
        problems += _nothing_proved(records)
    if state.settings.asked_for and state.settings.switch("strict_skips"):
        problems += _left_out(records)
    return problems


def _not_restored(
    records: list[DrillRecord], outcomes: Outcomes, not_due: Collection[str], *, strict: bool
) -> Iterator[str]:
    """Yield a problem for each drill that tests belong to and that was due and not restored."""
    restored = {record.drill for record in records}
    for key in outcomes.drills():
        skipped = all(outcome.verdict is Verdict.SKIPPED for outcome in outcomes.of(key))
        if key in not_due:
            continue
        if key not in restored and (strict or not skipped):
            why = "every test of it was skipped" if skipped else "nothing was restored"
            yield f"drill {key} did not run: {why}"


def _nothing_proved(records: list[DrillRecord]) -> Iterator[str]:
    """Yield a problem if there was no drill, and for each one without an assertion that ran."""
    if not records:
        yield f"{NO_DRILL}: {_HOW}"
    for record in records:
        ran = any(outcome.verdict in _RAN for outcome in record.assertions)
        if record.failure is None and not ran:
            yield f"drill {record.drill} has no assertion that ran"


def _left_out(records: list[DrillRecord]) -> Iterator[str]:
    """Yield a problem for each drill with assertions that were skipped or expected to fail."""
    from pytest_pgrestore.reports.tallies import left_out

    for record in records:
        if text := left_out(record):
            yield f"drill {record.drill} left out {text}"
