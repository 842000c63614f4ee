"""The metrics: their names, and what a run says of each source. Pure values.

Names follow Prometheus' rules: base units, seconds since the epoch for moments, so that a query
and not this program computes an age. All are gauges.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.history.due import Standing, standings
from pytest_pgrestore.model.verdict import Verdict, worst
from pytest_pgrestore.model.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from pytest_pgrestore.history.due import SourceStanding
    from pytest_pgrestore.history.entry import Entry, PastDrill

METRICS: Mapping[str, str] = {
    "pgrestore_build_info": "Version of pytest-pgrestore that wrote these metrics.",
    "pgrestore_last_run_timestamp_seconds": "End of the last run.",
    "pgrestore_last_run_exit_status": "Exit status of the last run; 0 is green.",
    "pgrestore_last_run_verdict": "1 for the verdict of the last run, 0 for the others.",
    "pgrestore_source_info": "A source that is configured, with its type.",
    "pgrestore_interval_seconds": "Longest time between two green drills that is asked for.",
    "pgrestore_due": "1 if the source was due for a drill after the last run.",
    "pgrestore_last_drill_timestamp_seconds": "Start of the last drill, whatever its verdict.",
    "pgrestore_last_drill_verdict": "1 for the verdict of the last drill, 0 for the others.",
    "pgrestore_last_success_timestamp_seconds": "Start of the last green drill.",
    "pgrestore_fresh_until_timestamp_seconds": "When the last proof expires.",
    "pgrestore_proven_backup_timestamp_seconds": "End of the newest backup that a green drill"
    " restored.",
    "pgrestore_proven_backup_size_bytes": "Size of that backup when restored.",
    "pgrestore_proven_backup_repository_bytes": "Size of that backup in its repository.",
    "pgrestore_restore_seconds": "Time of the last restore that came up: the phases that count"
    " toward the RTO.",
    "pgrestore_restore_phase_seconds": "Time of each phase of the last drill.",
    "pgrestore_rto_seconds": "Restore time that the last drill measured against the RTO.",
    "pgrestore_rto_limit_seconds": "Longest acceptable restore.",
    "pgrestore_data_loss_seconds": "Data loss that the last drill measured against the RPO.",
    "pgrestore_rpo_limit_seconds": "Largest acceptable data loss.",
    "pgrestore_checks": "Checks of the last drill by verdict.",
    "pgrestore_assertions": "Assertions of the last drill by verdict.",
}
"""Every metric, with its help text."""

OF_PROOF = frozenset(
    {
        "pgrestore_last_success_timestamp_seconds",
        "pgrestore_fresh_until_timestamp_seconds",
        "pgrestore_proven_backup_timestamp_seconds",
        "pgrestore_proven_backup_size_bytes",
        "pgrestore_proven_backup_repository_bytes",
    }
)
"""Metrics of a source that stay until its next green drill."""

_OF_DRILLS = (Verdict.PASSED, Verdict.FAILED, Verdict.COULD_NOT_VERIFY)


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric.

    Attributes:
        name: Of the metric.
        labels: Names and values, in the order of the names.
        value: The number.
    """

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float

    @property
    def source(self) -> str | None:
        """The source that it is about; None of a whole run."""
        return dict(self.labels).get("source")


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """A source of the settings file.

    Attributes:
        type: Its type.
        every: Its interval; None without one.
        digests: Of its own settings; empty compares none.
    """

    type: str
    every: timedelta | None
    digests: Mapping[str, str] = field(default_factory=dict)


def sample(name: str, value: float | None, **labels: str) -> Iterator[Sample]:
    """Yield a sample; nothing for a value that was not measured: it is not zero."""
    if value is not None:
        yield Sample(name, tuple(sorted(labels.items())), float(value))


def samples_of(
    entries: Sequence[Entry],
    exit_status: int,
    sources: Mapping[str, ConfiguredSource],
    now: datetime,
    *,
    unknown_until: datetime | None = None,
) -> list[Sample]:
    """Return what is known after a run.

    Args:
        entries: Of the history in order; the last one is the run.
        exit_status: Of the run.
        sources: The configured ones.
        now: The present.
        unknown_until: Runs up to here are missing: older proofs do not stand.
    """
    run = entries[-1]
    found = [
        *sample("pgrestore_build_info", 1, version=__version__),
        *sample("pgrestore_last_run_timestamp_seconds", run.ended_at.timestamp()),
        *sample("pgrestore_last_run_exit_status", exit_status),
        *_verdict("pgrestore_last_run_verdict", run.verdict),
    ]
    for name, source in sources.items():
        every = None if source.every is None else source.every.total_seconds()
        found += sample("pgrestore_source_info", 1, source=name, type=source.type)
        found += sample("pgrestore_interval_seconds", every, source=name)
    intervals = {name: source.every for name, source in sources.items()}
    digests = {name: source.digests for name, source in sources.items()}
    found_standings = standings(intervals, entries, now, digests, unknown_until=unknown_until)
    for standing in found_standings:
        found += _standing(standing)
        found += _proof(standing)
        found += _last(standing.source, standing.newest or _known(standing.last))
    return found


def _standing(standing: SourceStanding) -> Iterator[Sample]:
    late = standing.standing not in {Standing.PROVEN, Standing.UNSCHEDULED}
    yield from sample("pgrestore_due", late, source=standing.source)


def _proof(standing: SourceStanding) -> Iterator[Sample]:
    """Yield what the last green drill proved."""
    green = standing.last_green
    if green is None:
        return
    name = standing.source
    began = green.started_at.timestamp()
    yield from sample("pgrestore_last_success_timestamp_seconds", began, source=name)
    until = standing.fresh_until
    if until is not None:
        yield from sample("pgrestore_fresh_until_timestamp_seconds", until.timestamp(), source=name)
    backup = green.backup
    if backup is None:
        return
    if backup.stopped_at is not None:
        ended = backup.stopped_at.timestamp()
        yield from sample("pgrestore_proven_backup_timestamp_seconds", ended, source=name)
    yield from sample("pgrestore_proven_backup_size_bytes", backup.size_bytes, source=name)
    stored = backup.repository_bytes
    yield from sample("pgrestore_proven_backup_repository_bytes", stored, source=name)


def _known(drill: PastDrill | None) -> tuple[PastDrill, ...]:
    return () if drill is None else (drill,)


def _last(source: str, drills: Sequence[PastDrill]) -> Iterator[Sample]:
    """Yield the figures of a source's last drills: its targets give the worst verdict and time."""
    if not drills:
        return
    began = max(drill.started_at for drill in drills).timestamp()
    yield from sample("pgrestore_last_drill_timestamp_seconds", began, source=source)
    verdict = worst(drill.verdict for drill in drills)
    yield from _verdict("pgrestore_last_drill_verdict", verdict, source=source)
    slowest = max(drills, key=lambda drill: drill.restore_seconds or 0.0)
    yield from sample("pgrestore_restore_seconds", slowest.restore_seconds, source=source)
    for phase, seconds in slowest.phases.items():
        yield from sample("pgrestore_restore_phase_seconds", seconds, source=source, phase=phase)
    figures = {
        "pgrestore_rto_seconds": [drill.rto.measured_seconds for drill in drills],
        "pgrestore_data_loss_seconds": [drill.rpo.measured_seconds for drill in drills],
    }
    limits = {
        "pgrestore_rto_limit_seconds": [drill.rto.objective_seconds for drill in drills],
        "pgrestore_rpo_limit_seconds": [drill.rpo.objective_seconds for drill in drills],
    }
    for name, values in figures.items():
        known = [value for value in values if value is not None]
        yield from sample(name, max(known, default=None), source=source)
    for name, values in limits.items():
        known = [value for value in values if value is not None]
        yield from sample(name, min(known, default=None), source=source)
    for name, counts in (
        ("pgrestore_checks", [drill.checks for drill in drills]),
        ("pgrestore_assertions", [drill.assertions for drill in drills]),
    ):
        for verdict in Verdict:
            count = sum(one.get(str(verdict), 0) for one in counts)
            yield from sample(name, count, source=source, verdict=str(verdict))


def _verdict(name: str, verdict: Verdict, **labels: str) -> Iterator[Sample]:
    for one in _OF_DRILLS:
        yield from sample(name, one is verdict, verdict=str(one), **labels)


def to_plain(samples: Iterable[Sample]) -> list[dict[str, Any]]:
    """Return samples as JSON takes them."""
    return [asdict(one) for one in samples]


def from_plain(samples: Iterable[Mapping[str, Any]]) -> list[Sample]:
    """Return the samples that `to_plain` wrote."""
    return [
        Sample(one["name"], tuple((key, value) for key, value in one["labels"]), one["value"])
        for one in samples
    ]
