"""The JUnit report: a suite for each drill, a case for each finding. Evidence in, text out.

failure = verified bad, error = could not verify, skipped = left out by a person, with the reason.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.findings import RESTORED, TARGET_REACHED, findings
from pytest_pgrestore.reports.format import UNKNOWN, capped, exact, moment, one_line
from pytest_pgrestore.reports.junit.xml import Case, Suite, to_xml
from pytest_pgrestore.reports.outlook import coverage_lines, forecast_words
from pytest_pgrestore.reports.tallies import tallies
from pytest_pgrestore.reports.wording import RPO, RTO, left_out_words, objective_words, target_asked

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import DrillRecord, Evidence
    from pytest_pgrestore.reports.findings import Finding

_RESULTS = {
    Verdict.PASSED: "",
    Verdict.FAILED: "failure",
    Verdict.COULD_NOT_VERIFY: "error",
    Verdict.WARNING: "",
    Verdict.SKIPPED: "skipped",
}
"""Element of a case that has this verdict; a passed case has none."""

_WITH_FIGURES = frozenset({RESTORED, TARGET_REACHED, RTO, RPO})
"""Names of the cases whose text repeats the figures of the drill."""


def render(evidence: Evidence, *, strict: bool = False) -> str:
    """Return `evidence` as JUnit XML.

    Args:
        evidence: The run.
        strict: Leave out file and line of a case, which Jenkins' junit-10.xsd does not allow.
    """
    suites = [_suite(evidence, drill) for drill in evidence.drills]
    if evidence.problems or evidence.undrilled or evidence.left_out:
        suites.append(_run(evidence))
    return to_xml("pgrestore", suites, strict=strict)


def _suite(evidence: Evidence, drill: DrillRecord) -> Suite:
    found = findings(drill)
    return Suite(
        name=f"pgrestore.{drill.drill}",
        cases=tuple(_case(drill, finding) for finding in found),
        # The case `rto` repeats the time of `restored`: do not count it twice.
        seconds=sum(finding.seconds or 0.0 for finding in found if finding.name != RTO),
        hostname=evidence.host,
        timestamp=_timestamp(drill.started_at),
        properties=_properties(evidence, drill),
    )


def _run(evidence: Evidence) -> Suite:
    cases = tuple(
        Case(
            # Named after its text: a CI system then finds the same problem in the run before.
            name=one_line(problem),
            classname="pgrestore.run",
            result="error",
            message=one_line(problem),
            text=capped(problem),
        )
        for problem in dict.fromkeys(evidence.problems)
    )
    cases += tuple(
        Case(
            name=f"source {one_line(name)}",
            classname="pgrestore.run",
            result="skipped",
            message="configured, and drilled by no test of this full run",
        )
        for name in evidence.undrilled
    )
    cases += tuple(
        Case(
            name=f"drill {one_line(one.drill)}",
            classname="pgrestore.run",
            result="skipped",
            message=one_line(left_out_words(one)),
        )
        for one in evidence.left_out
    )
    return Suite(
        name="pgrestore.run",
        cases=cases,
        seconds=0.0,
        hostname=evidence.host,
        timestamp=_timestamp(evidence.started_at),
        properties={
            "pgrestore.run_id": evidence.run_id,
            "pgrestore.verdict": str(evidence.verdict()),
            **{f"pgrestore.{name}": str(text) for name, text in _coverage(evidence).items()},
        },
    )


def _case(drill: DrillRecord, finding: Finding) -> Case:
    return Case(
        name=finding.name,
        classname=classname(drill),
        result=_RESULTS[finding.verdict],
        message=one_line(finding.message),
        text="\n".join(_text(drill, finding)),
        seconds=finding.seconds,
        file=finding.file,
        line=finding.line,
    )


def classname(drill: DrillRecord) -> str:
    """Return the class name of a drill's cases, the same in every run.

    Dots only separate its three parts: Jenkins takes the text before the last dot as the package.
    """
    parts = (drill.source, target_asked(drill))
    return ".".join(("pgrestore", *(part.replace(".", "_") for part in parts)))


def _text(drill: DrillRecord, finding: Finding) -> list[str]:
    lines = [capped(finding.message)] if finding.message else []
    if finding.expected or finding.observed:
        lines += [f"expected: {capped(finding.expected)}", f"observed: {capped(finding.observed)}"]
    if finding.hint:
        lines.append(f"HINT: {capped(finding.hint)}")
    if finding.place:
        lines.append(f"at {finding.place}")
    if finding.name in _WITH_FIGURES:
        lines += ["", *_key_figures(drill)]
    for result in (drill.rto, drill.rpo):
        if finding.kind == "objective" and finding.name == result.name:
            lines.append(f"{result.name.upper()} means: {result.definition}")
    return lines


def _key_figures(drill: DrillRecord) -> list[str]:
    """Return the figures of a drill as lines: most readers of JUnit files drop properties."""
    phases = ", ".join(
        f"{phase.name} {exact(phase.seconds)}{'' if phase.counts_toward_rto else ' (not counted)'}"
        for phase in drill.phases
    )
    lines = [f"drill: {drill.drill}", f"verdict of the drill: {drill.verdict()}"]
    if drill.backup is not None:
        lines.append(f"backup: {drill.backup.label} ({drill.backup.form}, {drill.backup.kind})")
    if drill.recovered_to is not None:
        reached = drill.recovered_to
        lines.append(
            f"recovered to: {reached.lsn or UNKNOWN}, last commit {moment(reached.last_commit_at)}"
        )
    lines += [objective_words(drill.rto), objective_words(drill.rpo)]
    lines.append(f"phases: {phases or 'none ran'}")
    return lines + [f"{title.lower()}: {text}" for title, text in tallies(drill)]


def _properties(evidence: Evidence, drill: DrillRecord) -> dict[str, str]:
    facts: dict[str, object] = {
        "run_id": evidence.run_id,
        "version": evidence.plugin_version,
        "verdict": drill.verdict(),
        "source": drill.source,
        "source_type": drill.source_type,
        "target": drill.target,
        "backup": drill.backup.label if drill.backup else None,
        "recovered_to_lsn": drill.recovered_to.lsn if drill.recovered_to else None,
        "rto_seconds": drill.rto.objective_seconds,
        "restore_seconds": drill.rto.measured_seconds,
        "rpo_seconds": drill.rpo.objective_seconds,
        "data_loss_seconds": drill.rpo.measured_seconds,
        "fresh_until": drill.fresh_until.isoformat() if drill.fresh_until else None,
        "due": "; ".join(drill.due) or None,
    }
    outlook = drill.outlook
    if outlook is not None:
        facts |= {
            "usual_seconds": outlook.usual_seconds,
            "worst_seconds": outlook.worst_seconds,
            "rto_missed": outlook.missed and forecast_words(outlook.missed),
            "rto_missed_at_worst": outlook.missed_at_worst
            and forecast_words(outlook.missed_at_worst),
        }
    facts |= _coverage(evidence)
    return {f"pgrestore.{name}": str(value) for name, value in facts.items() if value is not None}


def _coverage(evidence: Evidence) -> dict[str, object]:
    """Return the coverage of the run as a property: most readers drop long lists of them."""
    if evidence.coverage is None:
        return {}
    told = coverage_lines(evidence.coverage)
    return {"coverage": "; ".join(f"{title.lower()}: {text}" for title, text in told)}


def _timestamp(value: datetime) -> str:
    # In UTC, which readers assume; windyroad's JUnit.xsd allows no offset
    # (ISO8601_DATETIME_PATTERN).
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
