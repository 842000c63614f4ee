"""What a run says of the runs before it, and of what it did not drill. Plain data of the evidence.

Imports only values. Names and docstrings of the classes are in ``evidence/evidence.schema.json``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible_value import COMPARED, VisibleValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope(VisibleValue):
    """A change per day, with the interval that holds it with 95 %."""

    per_day: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTime(VisibleValue):
    """The restore time of one drill."""

    at: datetime
    seconds: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast(VisibleValue):
    """When the RTO will be missed. None is: not up to `horizon`."""

    asked_at: datetime
    """A date that is this one means: now already."""
    horizon: datetime
    """No date after it is told: history reaches no further."""
    earliest: datetime | None = None
    likely: datetime | None = None
    latest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook(VisibleValue):
    """The restore times of a drill's series: same source, kind of target, server, tool, machine."""

    drills: int
    """Drills of the series that came up."""
    since: datetime | None = None
    began: str = ""
    """What changed when this series began; "" if nothing was there before."""
    not_enough: str = ""
    """Why there is no trend; "" if there is one."""
    times: tuple[PastTime, ...] = ()
    """The newest ones, oldest first."""
    usual_seconds: float | None = None
    """Median of the last comparable green drills before the newest one."""
    comparable: int = 0
    seconds: Slope | None = None
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds per day, by phase."""
    size_bytes: Slope | None = None
    """Of all databases after the restore, in bytes."""
    seconds_per_gib: float | None = None
    typical_seconds: float | None = None
    """The restore time to expect now, of the kind of backup that takes longest."""
    worst_seconds: float | None = None
    """The same with the longest replay seen: the end of the cycle of backups."""
    worst_kind: str = ""
    rto_seconds: float | None = None
    missed: Forecast | None = None
    """By the typical restore; None without an RTO."""
    missed_at_worst: Forecast | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiverFigures(VisibleValue):
    """The archiver of the live server, by its view pg_stat_archiver."""

    failed_count: int | None = None
    archived_count: int | None = None
    last_failed_at: datetime | None = None
    last_archived_at: datetime | None = None
    stats_reset: datetime | None = None
    problem: str = ""
    """Why it could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseCoverage(VisibleValue):
    """One database of a source, and the assertions that connected to it."""

    name: str
    assertions: int
    """That ran in this run."""
    last_asserted_at: datetime | None = None
    """Start of the last drill with one; None if there is none in the days looked back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCoverage(VisibleValue):
    """One configured source, or a copy of one."""

    source: str = field(metadata=COMPARED)
    covers: tuple[str, ...] = ()
    """Names in the inventory."""
    drills: int
    """Of this run; so are the green ones."""
    green: int
    past_drills: int | None = None
    """In the days looked back, with this run; None without a history."""
    past_green: int | None = None
    last_green_at: datetime | None = None
    every_seconds: float | None = None
    overdue: bool = False
    """Its proof has expired or it has none, and this run did not drill it."""
    databases: tuple[DatabaseCoverage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryFacts(VisibleValue):
    """The list of what should be backed up, compared with the sources."""

    origin: str
    listed: int
    uncovered: tuple[str, ...] = ()
    """In the list, and of no source."""
    unlisted: tuple[str, ...] = ()
    """Of a source, and not in the list."""
    ignored: tuple[str, ...] = ()
    """Left out on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage(VisibleValue):
    """What is configured, and what was drilled of it."""

    full: bool
    """Whether the run was to collect every test of the project."""
    days: float
    """How far back the history was looked at."""
    sources: tuple[SourceCoverage, ...] = ()
    inventory: InventoryFacts | None = None
