"""The list of findings, and the sentences on target and objectives."""

from __future__ import annotations

from pytest_pgrestore.model.evidence import Check, Evidence
from pytest_pgrestore.model.verdict import Verdict, worst
from pytest_pgrestore.reports.findings import findings, first_cause
from tests.unit.evidence_samples import every_sample, failed, healthy_pitr


@every_sample
def test_the_findings_of_a_drill_add_up_to_its_verdict(evidence: Evidence) -> None:
    """Reports count findings: the count must agree with the exit status."""
    for drill in evidence.drills:
        found = findings(drill)

        assert worst(finding.verdict for finding in found) is drill.verdict()
        assert len({finding.name for finding in found}) == len(found)
        assert (first_cause(drill) is None) is (drill.verdict() is Verdict.PASSED)


def test_a_planned_check_without_result_is_not_green() -> None:
    """A check that could not run is never reported as passed."""
    drill = healthy_pitr(checks_planned=("manifest", "archive"))

    assert drill.verdict() is Verdict.COULD_NOT_VERIFY
    assert [finding.message for finding in findings(drill) if finding.name == "archive"] == [
        "not run: the drill left no result for it"
    ]
    assert (
        healthy_pitr(checks_planned=("restored", "manifest", "rto", "rpo")).verdict()
        is Verdict.PASSED
    )


def test_the_first_cause_is_the_failed_restore() -> None:
    """Findings after it are its consequences."""
    cause = first_cause(
        failed(checks=(Check(name="manifest", verdict=Verdict.FAILED, message="damaged"),))
    )

    assert cause is not None
    assert cause.name == "restored"
    assert "000000010000000100000004 is missing" in cause.message
