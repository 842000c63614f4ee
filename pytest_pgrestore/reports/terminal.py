"""The summary at the end of a run: a table of drills, their phases, and why one is not green. Evidence in, lines out.

Each line comes with the verdict it speaks of, so that whoever prints it chooses the colours; None is plain.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.findings import findings, first_cause
from pytest_pgrestore.reports.format import duration, one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.model.evidence import DrillRecord, Evidence, ObjectiveResult

Line = tuple[str, Verdict | None]

_HEADINGS = ("drill", "verdict", "restore / RTO", "data loss / RPO")
_NARROWEST = 40
"""Columns below which wrapping only makes things worse."""


def lines(evidence: Evidence, width: int = 80) -> Iterator[Line]:
    """Yield the summary of `evidence`, wrapped to `width` columns, without escape codes."""
    width = max(width, _NARROWEST)
    rows = [_row(drill) for drill in evidence.drills]
    if rows:
        widths = [max(len(row[column]) for row in (_HEADINGS, *rows)) for column in (1, 2, 3)]
        name_width = min(
            max(len(row[0]) for row in (_HEADINGS, *rows)), max(5, width - sum(widths) - 6)
        )
        columns = (name_width, *widths)
        yield from _cells(_HEADINGS, columns, None)
        for drill, row in zip(evidence.drills, rows, strict=True):
            yield from _cells(row, columns, drill.verdict())
            yield from _below(drill, width)
    for problem in evidence.problems:
        yield from _wrapped("problem: ", problem, width, Verdict.COULD_NOT_VERIFY)
    yield from _total(evidence, width)


def _row(drill: DrillRecord) -> tuple[str, ...]:
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
    judged = "" if result.judgement is ObjectiveStatus.MET else f" {result.judgement}"
    if result.judgement is ObjectiveStatus.NOT_MEASURED and result.measured_seconds is None:
        judged = ""  # said already
    if result.judgement is ObjectiveStatus.NOT_SET:
        judged = " not judged"
    return f"{measured} / {duration(result.objective_seconds)}{judged}"


def _cells(
    row: tuple[str, ...], widths: tuple[int, ...], verdict: Verdict | None
) -> Iterator[Line]:
    name, rest = row[0], row[1:]
    cells = "  ".join(
        cell.ljust(width) for cell, width in zip(rest, widths[1:], strict=True)
    ).rstrip()
    if len(name) > widths[0]:
        # A long name has a line of its own: cut off, two drills of one source would look the same.
        yield name, verdict
        name = ""
    yield f"{name.ljust(widths[0])}  {cells}", verdict


def _below(drill: DrillRecord, width: int) -> Iterator[Line]:
    if drill.phases:
        yield from _wrapped("  phases  ", _phases(drill), width, None)
    cause = first_cause(drill)
    if cause is None:
        return
    alike = sum(finding.verdict is cause.verdict for finding in findings(drill)) - 1
    more = f" (and {alike} more)" if alike else ""
    message = one_line(visible(cause.message)) or "no message"
    yield from _wrapped(
        "  cause   ", f"{one_line(visible(cause.name))}: {message}{more}", width, drill.verdict()
    )
    if cause.place:
        yield from _wrapped("  at      ", visible(cause.place), width, None)
    hint = cause.hint or _hint_in(cause.message)
    if hint:
        yield from _wrapped("  HINT: ", one_line(visible(hint)), width, None)


def _phases(drill: DrillRecord) -> str:
    """Return the phases with their sum: what counts first, since that is the figure in the table."""
    counted = [phase for phase in drill.phases if phase.counts_toward_rto]
    others = [phase for phase in drill.phases if not phase.counts_toward_rto]
    words = " + ".join(f"{phase.name} {duration(phase.seconds)}" for phase in counted)
    text = (
        f"{words} = {duration(drill.restore_seconds())}"
        if counted
        else "none that counts toward the RTO ran"
    )
    if others:
        text += "; not counted: " + ", ".join(
            f"{phase.name} {duration(phase.seconds)}" for phase in others
        )
    return text


def _hint_in(message: str) -> str:
    """Return the hint that a message of ours carries within."""
    return next(
        (line[len("HINT: ") :] for line in message.splitlines() if line.startswith("HINT: ")), ""
    )


def _total(evidence: Evidence, width: int) -> Iterator[Line]:
    verdict = evidence.verdict()
    counts = Counter(drill.verdict() for drill in evidence.drills)
    words = (
        ", ".join(f"{counts[kind]} {kind}" for kind in Verdict if counts[kind]) or "no drill ran"
    )
    yield from _wrapped(
        "",
        f"run {visible(evidence.run_id)}: {str(verdict).upper()} (drills: {words})",
        width,
        verdict,
    )


def _wrapped(lead: str, text: str, width: int, verdict: Verdict | None) -> Iterator[Line]:
    indent = " " * len(lead)
    flat = " ".join(visible(text).split())
    for line in textwrap.wrap(
        flat, width, initial_indent=lead, subsequent_indent=indent, break_on_hyphens=False
    ):
        yield line, verdict
