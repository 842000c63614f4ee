"""The summary in Markdown, for the page of a CI job. Evidence in, text out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible_lines
from pytest_pgrestore.reports.findings import (
    BAD,
    SYMBOLS,
    findings,
    worst_first,
)
from pytest_pgrestore.reports.format import capped, duration, moment, one_line
from pytest_pgrestore.reports.outlook import coverage_lines, outlook_lines
from pytest_pgrestore.reports.tallies import tallies
from pytest_pgrestore.reports.wording import (
    NOTHING_DUE,
    expiry_words,
    left_out_words,
    objective_words,
    target_asked,
    undrilled_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.model.evidence import DrillRecord, Evidence
    from pytest_pgrestore.reports.findings import Finding

_SHOWN = 20
"""Findings listed of one drill: GitHub rejects a step summary over 1 MiB.

Source: GitHub docs, "Workflow commands", "Step isolation and limits".
"""

_DRILLS_SHOWN = 200
"""Drills listed, for the same reason."""

_TEXT_LIMIT = 1000
"""Characters of one text from outside."""

# Characters that are markup within a line ($ begins a formula), and the colon or the dot of an
# address, which would become a link. Source: GitHub Flavored Markdown Spec, 6.1 and 6.9.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~&$]|:(?=//)|(?<=[Ww]{3})\.)")

# A name after @ is told of what mentions it. GitHub looks for it in the rendered text, where a
# backslash is gone, so a space without width stands between. `shop@latest` is no mention.
_MENTION = re.compile(r"(?<![A-Za-z0-9_`])@(?=[A-Za-z0-9])")


def render(evidence: Evidence) -> str:
    """Return `evidence` as GitHub-flavoured Markdown."""
    return "\n".join(_lines(evidence)) + "\n"


def _lines(evidence: Evidence) -> Iterator[str]:
    verdict = evidence.verdict()
    word = NOTHING_DUE if verdict is Verdict.SKIPPED else str(verdict)
    yield f"## {SYMBOLS[verdict]} Restore drills: {word.upper()}"
    yield ""
    yield (
        f"Run {_text(evidence.run_id)} on {_text(evidence.host)}, {moment(evidence.started_at)}"
        f" to {moment(evidence.ended_at)}, pytest-pgrestore {_text(evidence.plugin_version)}."
    )
    yield ""
    yield from _problems(evidence)
    if evidence.undrilled:
        yield f"- Sources {_text(undrilled_words(evidence))}"
    yield from _beside(evidence)
    if verdict is Verdict.SKIPPED:
        yield ""
        yield "No drill ran, because none was due."
        return
    if not evidence.drills:
        yield "No drill ran: nothing was learned about any backup."
        return
    yield ""
    yield from _table(evidence)
    for drill in evidence.drills[:_DRILLS_SHOWN]:
        yield from _details(drill)
    yield ""
    yield (
        "A green drill proves this backup at this moment, and no more;"
        " report.html lists what was not checked."
    )


def _beside(evidence: Evidence) -> Iterator[str]:
    """Yield what was not due, what was drilled of all that is configured, and who was not told."""
    for one in evidence.left_out[:_DRILLS_SHOWN]:
        yield f"- {_text(one.drill)}: {_text(left_out_words(one))}"
    if len(evidence.left_out) > _DRILLS_SHOWN:
        yield f"- and {len(evidence.left_out) - _DRILLS_SHOWN} more that are not due"
    if evidence.coverage is not None:
        for title, text in coverage_lines(evidence.coverage):
            yield f"- {title}: {_text(text)}"
    for text in evidence.notices:
        yield f"- {_text(text)}"


def _problems(evidence: Evidence) -> Iterator[str]:
    for problem in evidence.problems[:_SHOWN]:
        yield f"- **{SYMBOLS[Verdict.COULD_NOT_VERIFY]}** {_text(problem)}"
    if len(evidence.problems) > _SHOWN:
        yield f"- and {len(evidence.problems) - _SHOWN} more problems"


def _table(evidence: Evidence) -> Iterator[str]:
    """Yield the table of drills; a column is a heading here and a cell in `_row`."""
    yield "| drill | verdict | backup | restore time | RTO | data loss | RPO |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for drill in evidence.drills[:_DRILLS_SHOWN]:
        yield _row(drill)
    if len(evidence.drills) > _DRILLS_SHOWN:
        yield ""
        yield f"And {len(evidence.drills) - _DRILLS_SHOWN} more drills: see report.html."


def _row(drill: DrillRecord) -> str:
    verdict = drill.verdict()
    cells = (
        _text(drill.drill),
        f"{SYMBOLS[verdict]} {verdict}",
        _text(drill.backup.label) if drill.backup else "none",
        duration(drill.rto.measured_seconds),
        _objective(drill.rto.objective_seconds),
        duration(drill.rpo.measured_seconds),
        _objective(drill.rpo.objective_seconds),
    )
    return f"| {' | '.join(cells)} |"


def _objective(seconds: float | None) -> str:
    return "not set" if seconds is None else duration(seconds)


def _details(drill: DrillRecord) -> Iterator[str]:
    found = findings(drill)
    passed = sum(finding.verdict is Verdict.PASSED for finding in found)
    yield ""
    yield f"### {_text(drill.source)}: {_text(target_asked(drill))}"
    yield ""
    yield f"{passed} of {len(found)} findings passed."
    for result in (drill.rto, drill.rpo):
        sentence = _text(objective_words(result))
        yield f"{sentence[:1].upper()}{sentence[1:]}."
    for title, text in tallies(drill):
        yield f"{title}: {_text(text)}."
    if drill.due:
        yield f"It was due: {_text('; '.join(drill.due))}."
    if drill.fresh_until is not None:
        yield f"T{_text(expiry_words(drill.fresh_until))[1:]}."
    if drill.outlook is not None:
        yield ""
        for title, text in outlook_lines(drill.outlook):
            yield f"- {title}: {_text(text)}"
    bad = [finding for finding in worst_first(found) if finding.verdict in BAD]
    if bad:
        yield ""
    for finding in bad[:_SHOWN]:
        yield _finding(finding)
    if len(bad) > _SHOWN:
        yield f"- and {len(bad) - _SHOWN} more: see report.html"


def _finding(finding: Finding) -> str:
    place = f" ({_text(finding.place)})" if finding.place else ""
    hint = f" HINT: {_text(finding.hint)}" if finding.hint else ""
    return (
        f"- {SYMBOLS[finding.verdict]} **{_text(finding.name)}** {finding.verdict}:"
        f" {_text(finding.message) or 'no message'}{place}{hint}"
    )


def _text(value: str) -> str:
    """Return text from outside as plain text: its markup is escaped, and it is one line."""
    line = " ".join(visible_lines(capped(value, _TEXT_LIMIT)).split())
    marked = _MARKUP.sub(r"\\\1", one_line(line, limit=_TEXT_LIMIT))
    return _MENTION.sub("@&#8203;", marked)
