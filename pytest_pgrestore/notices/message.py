"""What is told about a run: names and verdicts, and nothing of the rows.

Messages of assertions may hold values that their author chose to show, and messages of tools may
quote anything. They are told only where the user asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.reports.findings import first_cause
from pytest_pgrestore.reports.format import duration, one_line

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import DrillRecord, Evidence

_DRILLS = 50
"""Drills that a message names."""


class Message:
    """The words about a run.

    Args:
        evidence: Of the run.
        exit_status: Of its process.
        details: Whether messages are told, and not only names and verdicts.
    """

    def __init__(self, evidence: Evidence, exit_status: int, *, details: bool) -> None:
        self._evidence = evidence
        self._status = exit_status
        self._details = details

    def document(self) -> dict[str, Any]:
        """Return the JSON document of a webhook."""
        evidence = self._evidence
        return {
            "run_id": evidence.run_id,
            "host": evidence.host,
            "plugin_version": evidence.plugin_version,
            "started_at": evidence.started_at.isoformat(),
            "ended_at": evidence.ended_at.isoformat(),
            "verdict": str(evidence.verdict()),
            "exit_status": self._status,
            "title": self.title(),
            "problem_count": len(evidence.problems),
            "problems": [one_line(text) for text in evidence.problems] if self._details else [],
            "drills": [self._drill(record) for record in evidence.drills[:_DRILLS]],
            "drills_left_out": max(0, len(evidence.drills) - _DRILLS),
        }

    def title(self) -> str:
        """Return one line: the subject of a mail."""
        drills = self._evidence.drills
        good = sum(record.verdict() is Verdict.PASSED for record in drills)
        count = f"{good} of {len(drills)} drills passed" if drills else "no drill ran"
        if self._evidence.nothing_due:
            count = f"nothing was due of {len(self._evidence.left_out)} drills"
        verdict = self._evidence.verdict()
        odd = self._evidence.is_green and self._status != 0
        but = f", but the run ended with status {self._status}" if odd else ""
        return f"restore drills {verdict}: {count}{but}"

    def body(self) -> str:
        """Return the text of a mail or a chat."""
        evidence = self._evidence
        lines = [self.title()]
        for record in evidence.drills[:_DRILLS]:
            seconds = duration(_restore_seconds(record))
            lines.append(f"{visible(record.drill)}: {record.verdict()}, restore {seconds}")
            if cause := self._cause(record):
                lines.append(f"  because of: {cause}")
        if len(evidence.drills) > _DRILLS:
            lines.append(f"and {len(evidence.drills) - _DRILLS} more")
        if self._details:
            lines += [one_line(text) for text in evidence.problems]
        elif evidence.problems:
            count = len(evidence.problems)
            lines.append(f"{count} problem{'s' * (count != 1)} of the run: see its report")
        lines.append(f"exit status {self._status}, run {evidence.run_id} on {evidence.host}")
        return "\n".join(lines)

    def _drill(self, record: DrillRecord) -> dict[str, Any]:
        return {
            "drill": visible(record.drill),
            "source": visible(record.source),
            "verdict": str(record.verdict()),
            "cause": self._cause(record),
            "restore_seconds": _restore_seconds(record),
            "rto": str(record.rto.judgement),
            "rpo": str(record.rpo.judgement),
        }

    def _cause(self, record: DrillRecord) -> str:
        cause = first_cause(record)
        if cause is None:
            return ""
        if self._details:
            return one_line(f"{cause.name}: {cause.message}")
        return one_line(f"{cause.name} ({cause.verdict})")


def _restore_seconds(record: DrillRecord) -> float | None:
    return None if record.failure is not None else record.restore_seconds()
