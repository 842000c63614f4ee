"""The summary at the end of a run: the drills, their phases, and why one is not green.

Evidence in, lines out. A line comes with the verdict it shows, from which the caller chooses a
colour; None means no colour.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible, visible_lines
from pytest_pgrestore.reports.findings import findings, first_cause
from pytest_pgrestore.reports.format import duration, one_line
from pytest_pgrestore.reports.outlook import coverage_lines, outlook_lines
from pytest_pgrestore.reports.tallies import tallies
from pytest_pgrestore.reports.wording import (
    NOTHING_DUE,
    expiry_words,
    left_out_words,
    undrilled_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.model.evidence import DrillRecord, Evidence, ObjectiveResult, Phase

Line = tuple[str, Verdict | None]
"""Text without escape codes, and the verdict it shows."""

_HEADINGS = ("drill", "verdict", "restore / RTO", "data loss / RPO")
_GAP = "  "
"""Between two columns."""

_HINT = "HINT: "
"""Begins the hint in the text of every error of ours."""

_OF_THE_HISTORY = ("Trend", "Forecast", "At the worst moment")
"""Lines about the history that the terminal has room for; `pgrestore history trend` has all."""

_NARROWEST = 40
"""Columns: lines are not wrapped shorter, because nobody could read them."""


def lines(evidence: Evidence, width: int = 80) -> Iterator[Line]:
    """Yield the summary of `evidence`, wrapped to `width` columns, without escape codes."""
    width = max(width, _NARROWEST)
    if evidence.drills:
        yield from _table(evidence, width)
    for one in evidence.left_out:
        yield from _wrapped(f"{one_line(visible(one.drill))}: ", left_out_words(one), width, None)
    for problem in evidence.problems:
        yield from _wrapped("problem: ", problem, width, Verdict.COULD_NOT_VERIFY)
    if evidence.undrilled:
        yield from _wrapped("sources: ", undrilled_words(evidence), width, None)
    if evidence.coverage is not None:
        for title, text in coverage_lines(evidence.coverage):
            yield from _wrapped(f"{title.lower()}: ", text, width, None)
    yield from _total(evidence, width)


def _table(evidence: Evidence, width: int) -> Iterator[Line]:
    rows = [_row(drill) for drill in evidence.drills]
    widths = _widths([_HEADINGS, *rows], width)
    yield from _cells(_HEADINGS, widths, width, None)
    for drill, row in zip(evidence.drills, rows, strict=True):
        yield from _cells(row, widths, width, drill.verdict())
        yield from _below(drill, width)


def _widths(rows: list[tuple[str, ...]], width: int) -> list[int]:
    """Return the width of each column; the names get what the figures leave."""
    names, *figures = (max(map(len, column)) for column in zip(*rows, strict=True))
    between = len(_GAP) * len(figures)
    return [min(names, max(len(_HEADINGS[0]), width - sum(figures) - between)), *figures]


def _row(drill: DrillRecord) -> tuple[str, ...]:
    """Return the cells of a drill, below `_HEADINGS`."""
    return (
        one_line(visible(drill.drill)),
        str(drill.verdict()),
        _against(drill.rto),
        _against(drill.rpo),
    )


def _against(result: ObjectiveResult) -> str:
    measured = duration(result.measured_seconds)
    if result.objective_seconds is None:
        return measured
    return f"{measured} / {duration(result.objective_seconds)}{_judged(result)}"


def _judged(result: ObjectiveResult) -> str:
    """Return the judgement after the figures; "" if they show it themselves."""
    match result.judgement:
        case ObjectiveStatus.MET:
            return ""
        case ObjectiveStatus.NOT_SET:
            return " not judged"
        case ObjectiveStatus.NOT_MEASURED if result.measured_seconds is None:
            return ""
        case judgement:
            return f" {judgement}"


def _cells(
    row: tuple[str, ...], widths: list[int], width: int, verdict: Verdict | None
) -> Iterator[Line]:
    name, *figures = row
    padded = [cell.ljust(wide) for cell, wide in zip(figures, widths[1:], strict=True)]
    if len(name) > widths[0]:
        # A long name gets its own line: cut, two drills of one source could look the same.
        yield from _wrapped("", name, width, verdict)
        name = ""
    yield _GAP.join((name.ljust(widths[0]), *padded)).rstrip(), verdict


def _below(drill: DrillRecord, width: int) -> Iterator[Line]:
    if drill.phases:
        yield from _wrapped("  phases  ", _phases(drill), width, None)
    for title, text in tallies(drill):
        yield from _wrapped(f"  {title.lower()}: ", text, width, None)
    yield from _over_time(drill, width)
    yield from _why(drill, width)


def _over_time(drill: DrillRecord, width: int) -> Iterator[Line]:
    """Yield why it was due, how long it is a proof, and what the history says if it says much."""
    for reason in drill.due:
        yield from _wrapped("  due     ", reason, width, None)
    if drill.fresh_until is not None:
        yield from _wrapped("  proof   ", expiry_words(drill.fresh_until), width, None)
    if drill.outlook is not None and not drill.outlook.not_enough:
        for title, text in outlook_lines(drill.outlook):
            if title in _OF_THE_HISTORY:
                yield from _wrapped(f"  {title.lower()}: ", text, width, None)


def _why(drill: DrillRecord, width: int) -> Iterator[Line]:
    cause = first_cause(drill)
    if cause is None:
        return
    alike = sum(finding.verdict is cause.verdict for finding in findings(drill)) - 1
    more = f" (and {alike} more)" if alike else ""
    message = one_line(visible_lines(cause.message)) or "no message"
    yield from _wrapped(
        "  cause   ", f"{one_line(cause.name)}: {message}{more}", width, drill.verdict()
    )
    if cause.place:
        yield from _wrapped("  at      ", cause.place, width, None)
    hint = cause.hint or _hint_in(cause.message)
    if hint:
        yield from _wrapped("  HINT: ", one_line(hint), width, None)


def _phases(drill: DrillRecord) -> str:
    """Return the phases that count with their sum, which is in the table, then the others."""
    counted = [phase for phase in drill.phases if phase.counts_toward_rto]
    others = [phase for phase in drill.phases if not phase.counts_toward_rto]
    text = "none that counts toward the RTO ran"
    if counted:
        text = f"{' + '.join(map(_phase, counted))} = {duration(drill.restore_seconds())}"
    return f"{text}; not counted: {', '.join(map(_phase, others))}" if others else text


def _phase(phase: Phase) -> str:
    return f"{phase.name} {duration(phase.seconds)}"


def _hint_in(message: str) -> str:
    """Return the hint of an error of ours in `message`; "" if it has none."""
    hints = (line for line in message.splitlines() if line.startswith(_HINT))
    return next(hints, "").removeprefix(_HINT)


def _total(evidence: Evidence, width: int) -> Iterator[Line]:
    verdict = evidence.verdict()
    counts = Counter(drill.verdict() for drill in evidence.drills)
    words = ", ".join(f"{counts[kind]} {kind}" for kind in Verdict if counts[kind])
    total = f"{str(verdict).upper()} (drills: {words or 'no drill ran'})"
    if evidence.nothing_due and verdict is Verdict.SKIPPED:
        total = f"{NOTHING_DUE.upper()} (drills left out: {len(evidence.left_out)})"
    elif evidence.left_out:
        total = f"{total[:-1]}, {len(evidence.left_out)} not due)"
    yield from _wrapped("", f"run {evidence.run_id}: {total}", width, verdict)


def _wrapped(lead: str, text: str, width: int, verdict: Verdict | None) -> Iterator[Line]:
    indent = " " * len(lead)
    flat = " ".join(visible_lines(text).split())
    for line in textwrap.wrap(
        flat, width, initial_indent=lead, subsequent_indent=indent, break_on_hyphens=False
    ):
        yield visible(line), verdict  # a line may begin anywhere in the text, at a command too
