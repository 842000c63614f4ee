"""One run in the history, without the long tables. Long: its values, and its file.

It is written once and never changed. Its digest is that of its bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.history.surroundings import Surroundings, surroundings_of
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.evidence import LeftOut
from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible_value import COMPARED, VisibleValue
from pytest_pgrestore.reports.findings import first_cause
from pytest_pgrestore.reports.format import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import TypeAdapter

    from pytest_pgrestore.model.evidence import DrillRecord, Evidence, ObjectiveResult

_RAN = frozenset({"passed", "warning"})

HISTORY_VERSION = 1
"""Raised when a reader of this version would misread newer entries. New fields do not raise it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastObjective(VisibleValue):
    """An objective of a drill: limit and figure in seconds, None where there was none."""

    judgement: ObjectiveStatus
    objective_seconds: float | None = None
    measured_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastBackup(VisibleValue):
    """The backup that a drill restored."""

    label: str
    kind: str
    form: str
    server_major: int | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    size_bytes: int | None = None
    repository_bytes: int | None = None
    system_identifier: str | None = None
    written_by: str | None = None
    restored_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDrill(VisibleValue):
    """One drill of a past run."""

    drill: str = field(metadata=COMPARED)
    source: str = field(metadata=COMPARED)
    source_type: str
    target: str
    started_at: datetime
    verdict: Verdict
    cause: str = ""
    """The first cause of a drill that was not green; "" of one that was."""
    database: str | None = None
    restore_seconds: float | None = None
    """None if the restore did not come up."""
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds by name of the phase."""
    rto: PastObjective
    rpo: PastObjective
    backup: PastBackup | None = None
    archive_end_lsn: str | None = None
    server_version: str | None = None
    extensions: dict[str, dict[str, str]] = field(default_factory=dict)
    sandbox: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    tests: str | None = None
    checks: dict[str, int] = field(default_factory=dict)
    """Numbers by verdict; so are those of the assertions."""
    assertions: dict[str, int] = field(default_factory=dict)
    surroundings: Surroundings | None = None

    def is_proof(self) -> bool:
        """Return whether it was green, and an assertion of it ran."""
        return self.verdict is Verdict.PASSED and not _RAN.isdisjoint(self.assertions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(VisibleValue):
    """One run.

    Attributes:
        previous: Digests of the entries that no other one followed when this one was written. They
            are more than one where runs ended at the same time, and none of the first one.
        evidence_sha256: Of the evidence file.
        full: Whether it was to collect every test of the project.
    """

    history_version: int = HISTORY_VERSION
    previous: tuple[str, ...] = ()
    evidence_sha256: str
    run_id: str
    plugin_version: str
    host: str
    started_at: datetime
    ended_at: datetime
    verdict: Verdict
    problems: tuple[str, ...] = ()
    undrilled: tuple[str, ...] = ()
    full: bool = False
    left_out: tuple[LeftOut, ...] = ()
    drills: tuple[PastDrill, ...] = ()


def entry_of(evidence: Evidence, text: str, previous: Iterable[str]) -> Entry:
    """Return the entry of a run.

    Args:
        evidence: Of the run.
        text: Of its file.
        previous: See `Entry`.
    """
    return Entry(
        previous=tuple(sorted(previous)),
        evidence_sha256=digest_of(text.encode()),
        run_id=evidence.run_id,
        plugin_version=evidence.plugin_version,
        host=evidence.host,
        started_at=evidence.started_at,
        ended_at=evidence.ended_at,
        verdict=evidence.verdict(),
        problems=evidence.problems,
        undrilled=evidence.undrilled,
        full=evidence.coverage is not None and evidence.coverage.full,
        left_out=evidence.left_out,
        drills=tuple(past_drill(record) for record in evidence.drills),
    )


def past_drill(record: DrillRecord) -> PastDrill:
    """Return what the history keeps of a drill."""
    backup, server, cause = record.backup, record.server, first_cause(record)
    return PastDrill(
        drill=record.drill,
        source=record.source,
        source_type=record.source_type,
        target=record.target,
        started_at=record.started_at,
        verdict=record.verdict(),
        cause="" if cause is None else one_line(f"{cause.name}: {cause.message}"),
        database=record.database,
        restore_seconds=None if record.failure is not None else record.restore_seconds(),
        phases={phase.name: phase.seconds for phase in record.phases},
        rto=_objective(record.rto),
        rpo=_objective(record.rpo),
        backup=None
        if backup is None
        else PastBackup(
            label=backup.label,
            kind=backup.kind,
            form=backup.form,
            server_major=backup.server_major,
            started_at=backup.started_at,
            stopped_at=backup.stopped_at,
            size_bytes=backup.size_bytes,
            repository_bytes=backup.repository_bytes,
            system_identifier=backup.system_identifier,
            written_by=backup.written_by,
            restored_by=backup.restored_by,
        ),
        archive_end_lsn=record.recovered_to.archive_end_lsn if record.recovered_to else None,
        server_version=None if server is None else server.version,
        extensions={} if server is None else server.extensions,
        sandbox=None if server is None else server.sandbox,
        settings=record.settings,
        tests=record.tests,
        checks=_counted(check.verdict for check in record.checks),
        assertions=_counted(outcome.verdict for outcome in record.assertions),
        surroundings=surroundings_of(record),
    )


def _objective(result: ObjectiveResult) -> PastObjective:
    return PastObjective(
        judgement=result.judgement,
        objective_seconds=result.objective_seconds,
        measured_seconds=result.measured_seconds,
    )


def _counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    return dict(sorted(Counter(map(str, verdicts)).items()))


def to_bytes(entry: Entry) -> bytes:
    """Return the file of an entry."""
    text = json.dumps(asdict(entry), default=_plain, ensure_ascii=False, sort_keys=True)
    return f"{text}\n".encode()


def digest_of(data: bytes) -> str:
    """Return the digest by which later entries name a file."""
    return hashlib.sha256(data).hexdigest()


def from_bytes(data: bytes) -> Entry:
    """Return the entry that a file holds. Unknown fields are left out.

    Raises:
        ConfigError: It is none, damaged, or of a newer version.
    """
    from pydantic import ValidationError

    try:
        document = json.loads(data.decode("utf-8"))
        version = document["history_version"]
    except (ValueError, LookupError, TypeError, RecursionError) as exc:
        raise ConfigError(
            f"it is no entry of a history ({type(exc).__name__})", hint=_RESTORE
        ) from None
    if version != HISTORY_VERSION:
        raise ConfigError(
            f"it is of history version {version!r}, and {HISTORY_VERSION} is known here",
            hint="upgrade pytest-pgrestore.",
        )
    try:
        entry = _adapter().validate_python(document)
    except ValidationError as exc:
        places = ", ".join(".".join(map(str, one["loc"])) for one in exc.errors()[:5])
        raise ConfigError(f"it does not fit its form: {places}", hint=_RESTORE) from None
    if any(moment.tzinfo is None for moment in _moments(entry)):
        raise ConfigError("it has a time without a zone", hint=_RESTORE)
    return entry


def _moments(entry: Entry) -> Iterator[datetime]:
    """Yield the times in an entry: those of different machines are compared with each other."""
    found = [entry.started_at, entry.ended_at]
    found += [one.proven_at for one in entry.left_out]
    found += [one.started_at for one in entry.drills]
    for drill in entry.drills:
        if drill.backup is not None:
            found += filter(None, (drill.backup.started_at, drill.backup.stopped_at))
    yield from found


_RESTORE = "restore the file from a copy of the history; it was never changed by us."


@cache
def _adapter() -> TypeAdapter[Entry]:
    from pydantic import TypeAdapter

    return TypeAdapter(Entry)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no plain form: {type(value).__name__}")
