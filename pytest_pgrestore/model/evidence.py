"""The record of a run. Every report is a pure function of it. Imports only values.

Plain data on purpose: numbers, strings, times, tuples. What stands here has been redacted already: no secret, no
row value. Durations are seconds. None means "not measured" or "not known", never zero.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict, worst

SCHEMA_VERSION = 1
"""Raised when a reader of older evidence would misread newer; additions alone do not raise it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One named, timed step of a restore."""

    name: str
    seconds: float
    outcome: str
    """``ok`` or ``failed``."""
    counts_toward_rto: bool
    detail: str = ""
    """What happened in it, e.g. ``41 files, 1.2 GiB``; empty when the name says it all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFacts:
    """What was restored, and how it was chosen."""

    label: str
    location: str
    form: str
    kind: str
    selection: str
    """Why this one, e.g. ``newest of 3 that end before the target``."""
    server_major: int | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    start_lsn: str | None = None
    stop_lsn: str | None = None
    timeline: int | None = None
    system_identifier: str | None = None
    chain: tuple[str, ...] = ()
    size_bytes: int | None = None
    written_by: str | None = None
    repository_bytes: int | None = None
    restored_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredTo:
    """The point recovery really ended at, asked from the server and its log."""

    lsn: str | None = None
    """End of the last record replayed."""
    last_commit_at: datetime | None = None
    last_commit_xid: int | None = None
    timeline: int | None = None
    reason: str = ""
    """The server's own words, e.g. ``recovery stopping after commit of transaction 741, time ...``."""
    archive_end_lsn: str | None = None
    """End of the last WAL segment the archive holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveResult:
    """One objective: what was promised, what was measured, and what the figure means."""

    name: str
    """``rto`` or ``rpo``."""
    judgement: ObjectiveStatus
    definition: str
    objective_seconds: float | None = None
    measured_seconds: float | None = None

    def verdict(self) -> Verdict:
        """Return what the judgement means for the drill."""
        match self.judgement:
            case ObjectiveStatus.MISSED:
                return Verdict.FAILED
            case ObjectiveStatus.NOT_MEASURED:
                return Verdict.COULD_NOT_VERIFY
            case ObjectiveStatus.MET:
                return Verdict.PASSED
            case ObjectiveStatus.NOT_SET:
                return Verdict.SKIPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLossFigures:
    """The figures behind the RPO verdict; which one decided is said in the objective's definition."""

    last_commit_seconds: float | None = None
    """Start of the drill minus the commit time recovered to."""
    freshness_seconds: float | None = None
    """Start of the drill minus the freshest business row (the user's ``freshness`` query)."""
    live_seconds: float | None = None
    """How far the live server was ahead of the restored one, when a connection to it was given."""
    backup_age_seconds: float | None = None
    """Start of the drill minus the end of the backup. Shown, never called RPO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One built-in check."""

    name: str
    verdict: Verdict
    message: str
    seconds: float = 0.0
    expected: str = ""
    observed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionOutcome:
    """One assertion of the user's: a test, a subtest or an ``[[assert]]`` of a drill file."""

    name: str
    verdict: Verdict
    message: str
    seconds: float
    file: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The first cause of a drill that did not come up."""

    problem: str
    hint: str
    verdict: Verdict
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What the restored server answered, and where it ran."""

    version: str
    binaries: str
    """Where the server's programs were found."""
    sandbox: str
    system_identifier: str = ""
    network: str = ""
    """How egress was cut, or that it was not."""
    settings: dict[str, str] = field(default_factory=dict)
    """Settings asked from the running server: the quarantine, and what bears on speed."""
    speedups: tuple[str, ...] = ()
    """Settings that make the drill faster than production would be, as ``name=value``; empty is honest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teardown:
    """Proof that nothing stayed behind: asked after the removal."""

    removed: bool
    message: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRecord:
    """One drill: one source, one target, exactly one restore."""

    drill: str
    """Stable name, e.g. ``shop@latest``."""
    source: str
    source_type: str
    target: str
    started_at: datetime
    ended_at: datetime | None = None
    timeline_asked: str = "latest"
    database: str | None = None
    backup: BackupFacts | None = None
    phases: tuple[Phase, ...] = ()
    recovered_to: RecoveredTo | None = None
    rto: ObjectiveResult
    rpo: ObjectiveResult
    data_loss: DataLossFigures = field(default_factory=DataLossFigures)
    checks: tuple[Check, ...] = ()
    checks_planned: tuple[str, ...] = ()
    """Names of what this drill was to check, known before it ran; one that left no result was not verified."""
    assertions: tuple[AssertionOutcome, ...] = ()
    failure: Failure | None = None
    server: ServerFacts | None = None
    not_checked: tuple[str, ...] = ()
    """What this drill does not prove, a sentence each."""
    notes: tuple[str, ...] = ()
    """What a reader should know, e.g. that recovery followed a timeline switch."""
    logs: tuple[str, ...] = ()
    """Saved log files, relative to the evidence file."""
    teardown: Teardown | None = None

    def restore_seconds(self) -> float:
        """Return the seconds spent in the phases that count toward the RTO."""
        return sum(phase.seconds for phase in self.phases if phase.counts_toward_rto)

    def not_run(self) -> tuple[str, ...]:
        """Return the planned checks that left no result; the restore and the objectives always leave one."""
        ran = {check.name for check in self.checks} | {"restored", "rto", "rpo"}
        return tuple(name for name in self.checks_planned if name not in ran)

    def verdict(self) -> Verdict:
        """Return the verdict of the drill: failed beats could not verify beats passed."""
        found = [check.verdict for check in self.checks] + [
            outcome.verdict for outcome in self.assertions
        ]
        found += [result.verdict() for result in (self.rto, self.rpo)]
        found += [Verdict.COULD_NOT_VERIFY for _ in self.not_run()]
        if self.failure is not None:
            found.append(self.failure.verdict)
        if self.teardown is not None and not self.teardown.removed:
            found.append(Verdict.COULD_NOT_VERIFY)
        return worst(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One run of the plugin: every drill, and what was wrong with the run as a whole."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    plugin_version: str
    started_at: datetime
    ended_at: datetime
    host: str
    environment: dict[str, str] = field(default_factory=dict)
    """Versions of Python, pytest and the platform; the CI job where there is one."""
    drills: tuple[DrillRecord, ...] = ()
    problems: tuple[str, ...] = ()
    """Why a run is not green although no drill says so: no drill ran, a drill without assertion, an interruption."""

    def verdict(self) -> Verdict:
        """Return the verdict of the run."""
        found = [drill.verdict() for drill in self.drills]
        if self.problems:
            found.append(Verdict.COULD_NOT_VERIFY)
        return worst(found)


def to_json(evidence: Evidence) -> str:
    """Return `evidence` as indented JSON, with the verdicts written beside what they sum up."""
    document = dataclasses.asdict(evidence)
    document["verdict"] = evidence.verdict()
    for entry, drill in zip(document["drills"], evidence.drills, strict=True):
        entry["verdict"] = drill.verdict()
        entry["restore_seconds"] = drill.restore_seconds()
    return json.dumps(_encodable(document), indent=2, default=_plain) + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"evidence holds plain data only, not {type(value).__name__}")


def _encodable(value: Any) -> Any:
    """Return `value` with lone surrogates spelled out: strict readers, ours too, refuse the whole document."""
    if isinstance(value, str):
        return value.encode("utf-8", errors="backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_encodable(name): _encodable(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(entry) for entry in value]
    return value
