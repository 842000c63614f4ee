"""What is configured, and what was drilled of it: in this run, and in the days before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.history.surroundings import asserted
from pytest_pgrestore.model.past import Coverage, DatabaseCoverage, SourceCoverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from pytest_pgrestore.history.entry import PastDrill
    from pytest_pgrestore.model.evidence import DrillRecord


@dataclass(frozen=True, slots=True)
class Configured:
    """A source of the settings.

    Attributes:
        covers: Its names in the inventory.
        every: Longest time between two green drills; None asks for none.
    """

    covers: tuple[str, ...]
    every: timedelta | None


def coverage_of(
    sources: Mapping[str, Configured],
    records: Sequence[DrillRecord],
    past: Sequence[PastDrill] | None,
    *,
    now: datetime,
    days: timedelta,
    full: bool,
) -> Coverage:
    """Return the coverage of a run.

    Args:
        sources: All that are configured, by name.
        records: Of this run.
        past: Drills of the runs before it; None without a history.
        now: The present.
        days: How far to look back.
        full: Whether the run was to collect every test.
    """
    return Coverage(
        full=full,
        days=days.total_seconds() / 86_400,
        sources=tuple(
            _source(
                name,
                configured,
                [record for record in records if record.source == name],
                None if past is None else [one for one in past if one.source == name],
                now,
                days,
            )
            for name, configured in sorted(sources.items())
        ),
    )


def _source(
    name: str,
    configured: Configured,
    records: Sequence[DrillRecord],
    past: Sequence[PastDrill] | None,
    now: datetime,
    days: timedelta,
) -> SourceCoverage:
    # As in `history.reasons`: a restore of which nothing was asserted proves little.
    green = [record.started_at for record in records if record.is_proof()]
    before = past or ()
    ever_green = [one.started_at for one in before if one.is_proof()] + green
    last_green = max(ever_green, default=None)
    every = configured.every
    expired = every is not None and (last_green is None or now - last_green >= every)
    recent = [one for one in before if one.started_at >= now - days]
    return SourceCoverage(
        source=name,
        covers=configured.covers,
        drills=len(records),
        green=len(green),
        past_drills=None if past is None else len(recent) + len(records),
        past_green=None if past is None else sum(one.is_proof() for one in recent) + len(green),
        last_green_at=last_green,
        every_seconds=None if every is None else every.total_seconds(),
        overdue=past is not None and expired and not records,
        databases=tuple(_databases(records, before, recent)),
    )


def _databases(
    records: Sequence[DrillRecord], past: Sequence[PastDrill], recent: Iterable[PastDrill]
) -> list[DatabaseCoverage]:
    """Return the databases of the newest copy that is known, and when they were asked last."""
    known = [(record.started_at, asserted(record)) for record in records]
    known += [
        (one.started_at, one.surroundings.databases) for one in past if one.surroundings is not None
    ]
    known = [(at, counts) for at, counts in known if counts]
    if not known:
        return []
    _, newest = max(known, key=lambda one: one[0])
    looked_at = {one.started_at for one in recent} | {record.started_at for record in records}
    here = [asserted(record) for record in records]
    return [
        DatabaseCoverage(
            name=name,
            assertions=sum(counts.get(name, 0) for counts in here),
            last_asserted_at=max(
                (at for at, counts in known if at in looked_at and counts.get(name)), default=None
            ),
        )
        for name in sorted(newest)
    ]
