"""The spans of a run as plain data: they are made afterwards, with the times of the evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.reports.findings import first_cause

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import DrillRecord, Evidence, Phase

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NANOSECONDS = 1000


def spans_of(evidence: Evidence, exit_status: int) -> dict[str, Any]:
    """Return the span of a run; below it those of its drills, below these the phases.

    A span has a name, nanoseconds since the epoch, attributes, an error and children. It holds
    names and verdicts, as `message` does, and no message.
    """
    verdict = evidence.verdict()
    return _span(
        "pgrestore run",
        evidence.started_at,
        evidence.ended_at,
        {
            "pgrestore.run_id": evidence.run_id,
            "pgrestore.verdict": str(verdict),
            "pgrestore.exit_status": exit_status,
            "pgrestore.problems": len(evidence.problems),
            "host.name": evidence.host,
        },
        "" if evidence.is_green else str(verdict),
        [_drill(record) for record in evidence.drills],
    )


def _drill(record: DrillRecord) -> dict[str, Any]:
    verdict, cause = record.verdict(), first_cause(record)
    phases = _phases(record)
    ended = max([record.ended_at or record.started_at, *(end for _, _, end in phases)])
    attributes: dict[str, Any] = {
        "pgrestore.source": record.source,
        "pgrestore.source_type": record.source_type,
        "pgrestore.target": record.target,
        "pgrestore.verdict": str(verdict),
        "pgrestore.rto": str(record.rto.judgement),
        "pgrestore.rpo": str(record.rpo.judgement),
        "pgrestore.restore_seconds": record.restore_seconds(),
    }
    if record.backup is not None:
        attributes["pgrestore.backup"] = record.backup.label
        if record.backup.size_bytes is not None:
            attributes["pgrestore.size_bytes"] = record.backup.size_bytes
    return _span(
        f"drill {record.drill}",
        record.started_at,
        ended,
        attributes,
        "" if cause is None else f"{verdict}: {cause.name}",
        [
            _span(
                phase.name,
                began,
                end,
                {"pgrestore.counts_toward_rto": phase.counts_toward_rto},
                "" if phase.outcome == "ok" else phase.outcome,
                [],
            )
            for phase, began, end in phases
        ],
    )


def _phases(record: DrillRecord) -> list[tuple[Phase, datetime, datetime]]:
    """Return each phase with its times; one without a start follows the one before it."""
    found = []
    last = record.started_at
    for phase in record.phases:
        known = phase.began_seconds
        began = last if known is None else record.started_at + timedelta(seconds=known)
        last = began + timedelta(seconds=phase.seconds)
        found.append((phase, began, last))
    return found


def _span(
    name: str,
    began: datetime,
    ended: datetime,
    attributes: dict[str, Any],
    error: str,
    children: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "name": visible(name),
        "began": (began - _EPOCH) // _MICROSECOND * _NANOSECONDS,
        "ended": (ended - _EPOCH) // _MICROSECOND * _NANOSECONDS,
        "attributes": {
            key: visible(value) if isinstance(value, str) else value
            for key, value in attributes.items()
        },
        "error": visible(error),
        "children": children,
    }
