"""The record of a run. Long: all of its values. Every report is a pure function of it.

It imports only values, and is plain data: numbers, strings, times, tuples. It holds no secret and
no row value, and its texts hide nothing. Durations are in seconds. None means "not measured" or
"not known", never zero.

Names and docstrings of the classes are in ``evidence/evidence.schema.json``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.past import ArchiverFigures, Coverage, Outlook
from pytest_pgrestore.model.verdict import Verdict, worst
from pytest_pgrestore.model.visible_value import COMPARED, WITH_LINES, VisibleValue

SCHEMA_VERSION = 1
"""Raised when a reader of this version would misread newer evidence. New fields do not raise it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase(VisibleValue):
    """One named, timed step of a restore."""

    name: str
    seconds: float
    outcome: str
    """``ok`` or ``failed``."""
    counts_toward_rto: bool
    detail: str = ""
    """What was done, e.g. ``41 files, 1.2 GiB``; may be empty."""
    began_seconds: float | None = None
    """Start of the drill to the start of the phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFacts(VisibleValue):
    """The backup that was restored, and why it was chosen."""

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
class RecoveredTo(VisibleValue):
    """The point where recovery ended, by the server and its log."""

    lsn: str | None = None
    """End of the last record replayed."""
    last_commit_at: datetime | None = None
    last_commit_xid: int | None = None
    timeline: int | None = None
    reason: str = ""
    """The server's message, e.g. ``recovery stopping after commit of transaction 741 ...``."""
    archive_end_lsn: str | None = None
    """End of the last WAL segment the archive holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveResult(VisibleValue):
    """One objective: its limit, the measured value, and the definition of that value."""

    name: str
    """``rto`` or ``rpo``."""
    judgement: ObjectiveStatus
    definition: str
    objective_seconds: float | None = None
    measured_seconds: float | None = None

    def verdict(self) -> Verdict:
        """Return the verdict that this result gives the drill."""
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
class DataLossFigures(VisibleValue):
    """The figures behind the RPO verdict. One of a moment in the future is negative."""

    last_commit_seconds: float | None = None
    """Start of the drill minus the commit time recovered to."""
    freshness_seconds: float | None = None
    """Start of the drill minus the freshest row (the user's ``freshness`` query)."""
    live_seconds: float | None = None
    """How far the live server was ahead of the restored one; needs a connection to it."""
    backup_age_seconds: float | None = None
    """Start of the drill minus the end of the backup. Shown, never called RPO."""
    problem: str = ""
    """Why the figure that should decide cannot be had or believed."""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(VisibleValue):
    """One built-in check."""

    name: str
    verdict: Verdict
    message: str
    seconds: float = 0.0
    expected: str = ""
    observed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionOutcome(VisibleValue):
    """One assertion of the user: a test, a subtest or an ``[[assert]]`` of a drill file."""

    name: str
    verdict: Verdict
    message: str = field(metadata=WITH_LINES)
    seconds: float
    file: str = ""
    line: int | None = None
    tries: int = 1
    databases: tuple[str, ...] = ()
    """Databases of the copy that it connected to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(VisibleValue):
    """The first cause of a restore that failed."""

    problem: str
    hint: str
    verdict: Verdict
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts(VisibleValue):
    """The restored server: its version and settings, and where it ran."""

    version: str
    binaries: str
    """Where the server's programs were found."""
    sandbox: str
    system_identifier: str = ""
    network: str = ""
    """How its way out was cut, or that it was not."""
    confinement: str = ""
    """What kept the server and the tools from the other files and processes of their machine."""
    settings: dict[str, str] = field(default_factory=dict)
    """Settings of the running server: those of the quarantine, and those that affect speed."""
    speedups: tuple[str, ...] = ()
    """Settings that make the drill faster than production would be, as ``name=value``."""
    extensions: dict[str, dict[str, str]] = field(default_factory=dict)
    """Versions of the extensions by database and name."""
    machine: str = ""
    """Processors and memory of the machine: restore times of another one are no comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teardown(VisibleValue):
    """Proof that nothing of the copy is left, looked up after its removal."""

    removed: bool
    message: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRecord(VisibleValue):
    """One drill: one source, one target, exactly one restore."""

    drill: str = field(metadata=COMPARED)
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
    """Names of the checks planned before the drill; one without a result was not verified."""
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
    due: tuple[str, ...] = ()
    """Why it was due, a sentence each; none if the run did not ask what is due."""
    settings: dict[str, str] = field(default_factory=dict)
    """Digests of the settings that decide the drill, by key. No secret is in one."""
    tests: str | None = None
    """Digest of its selected tests: their files and arguments."""
    fresh_until: datetime | None = None
    """When its proof expires: the start and ``every`` of its source."""

    def is_proof(self) -> bool:
        """Return whether it is green, and an assertion of it ran."""
        ran = {Verdict.PASSED, Verdict.WARNING}
        asserted = any(outcome.verdict in ran for outcome in self.assertions)
        return asserted and self.verdict() is Verdict.PASSED

    databases: tuple[str, ...] = ()
    """Of the restored server, without templates and without a `postgres` that holds nothing."""
    restored_bytes: int | None = None
    """Size of all databases after the restore."""
    archiver: ArchiverFigures | None = None
    """Of the live server; None if none is named, and for a dump."""
    outlook: Outlook | None = None
    """None without a history."""

    def restore_seconds(self) -> float:
        """Return the seconds spent in the phases that count toward the RTO."""
        return sum(phase.seconds for phase in self.phases if phase.counts_toward_rto)

    def not_run(self) -> tuple[str, ...]:
        """Return the planned checks without a result; restore and objectives always have one."""
        ran = {check.name for check in self.checks} | {"restored", "rto", "rpo"}
        return tuple(name for name in self.checks_planned if name not in ran)

    def verdict(self) -> Verdict:
        """Return the verdict of the drill: failed beats could not verify beats passed."""
        found = [check.verdict for check in self.checks]
        found += [outcome.verdict for outcome in self.assertions]
        found += [result.verdict() for result in (self.rto, self.rpo)]
        found += [Verdict.COULD_NOT_VERIFY for _ in self.not_run()]
        if self.failure is not None:
            found.append(self.failure.verdict)
        if self.teardown is not None and not self.teardown.removed:
            found.append(Verdict.COULD_NOT_VERIFY)
        return worst(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut(VisibleValue):
    """A drill that was not due, and the proof that stands for it."""

    drill: str = field(metadata=COMPARED)
    source: str = field(metadata=COMPARED)
    why: str
    proven_at: datetime
    """Start of its last green drill."""
    proven_by: str
    """The run that had it."""
    backup: str | None = None
    """Label of the backup that was restored then."""
    fresh_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(VisibleValue):
    """One run of the plugin: its drills, and problems of the run as a whole."""

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
    """Why a run is not green although its drills are, e.g. no drill ran, or an interruption."""
    undrilled: tuple[str, ...] = ()
    """Configured sources that no test of a full run drilled."""
    left_out: tuple[LeftOut, ...] = ()
    """Drills that were not due."""

    notices: tuple[str, ...] = ()
    """What could not be told to others at the start of the run."""
    coverage: Coverage | None = None

    @property
    def nothing_due(self) -> bool:
        """Whether there were drills, and none of them was due."""
        return bool(self.left_out) and not self.drills

    def verdict(self) -> Verdict:
        """Return the verdict of the run; *skipped* if nothing was due."""
        if self.nothing_due and not self.problems:
            return Verdict.SKIPPED
        found = [drill.verdict() for drill in self.drills]
        if self.problems:
            found.append(Verdict.COULD_NOT_VERIFY)
        return worst(found)
