"""What is told about a run: verdicts, times and causes, and nothing of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.reports.findings import first_cause
from pytest_pgrestore.reports.format import duration, one_line

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import DrillRecord, Evidence

_DRILLS = 50
"""Drills that a message names."""


def document(evidence: Evidence, exit_status: int) -> dict[str, Any]:
    """Return the JSON document of a webhook."""
    return {
        "run_id": evidence.run_id,
        "host": evidence.host,
        "started_at": evidence.started_at.isoformat(),
        "ended_at": evidence.ended_at.isoformat(),
        "verdict": str(evidence.verdict()),
        "exit_status": exit_status,
        "problems": list(evidence.problems),
        "drills": [_drill(record) for record in evidence.drills[:_DRILLS]],
        "drills_left_out": max(0, len(evidence.drills) - _DRILLS),
    }


def title(evidence: Evidence) -> str:
    """Return one line: the subject of a mail."""
    count = len(evidence.drills)
    return f"restore drills {evidence.verdict()}: {count} drill{'s' * (count != 1)}"


def body(evidence: Evidence) -> str:
    """Return the text of a mail or a chat."""
    lines = [*evidence.problems]
    for record in evidence.drills[:_DRILLS]:
        seconds = None if record.failure is not None else record.restore_seconds()
        lines.append(f"{record.drill}: {record.verdict()}, restored in {duration(seconds)}")
        if cause := _cause(record):
            lines.append(f"  {cause}")
    if len(evidence.drills) > _DRILLS:
        lines.append(f"and {len(evidence.drills) - _DRILLS} more")
    lines.append(f"run {evidence.run_id} on {evidence.host}")
    return "\n".join(lines)


def _drill(record: DrillRecord) -> dict[str, Any]:
    return {
        "drill": record.drill,
        "source": record.source,
        "verdict": str(record.verdict()),
        "cause": _cause(record),
        "restore_seconds": None if record.failure is not None else record.restore_seconds(),
        "rto": str(record.rto.judgement),
        "rpo": str(record.rpo.judgement),
    }


def _cause(record: DrillRecord) -> str:
    cause = first_cause(record)
    return "" if cause is None else one_line(f"{cause.name}: {cause.message}")
