"""What stays of earlier runs where no history remembers them. Pure values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.notices.metrics.samples import METRICS, OF_PROOF

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from pytest_pgrestore.notices.metrics.samples import Sample

_DRILLED = "pgrestore_last_drill_timestamp_seconds"
_PROVEN = "pgrestore_last_success_timestamp_seconds"
_FRESH = "pgrestore_fresh_until_timestamp_seconds"
_DUE = "pgrestore_due"
_EVERY = "pgrestore_interval_seconds"

OF_SETTINGS = frozenset({"pgrestore_source_info", "pgrestore_interval_seconds"})
"""Metrics that are true without any drill."""


def drilled(samples: Iterable[Sample]) -> set[str | None]:
    """Return the sources that have a drill in these samples."""
    return {one.source for one in samples if one.name == _DRILLED}


def proven(samples: Iterable[Sample]) -> set[str | None]:
    """Return the sources that have a green drill in these samples."""
    return {one.source for one in samples if one.name == _PROVEN}


def with_kept(
    new: Collection[Sample], old: Collection[Sample], sources: Collection[str], now: datetime
) -> list[Sample]:
    """Return the samples of a run, with those of earlier ones that are still true.

    Of a source that this run did not drill all is kept; of one that was drilled and is not green,
    its last proof. A source that is no longer configured goes.

    Args:
        new: Of this run, which knows of no other.
        old: What was written before.
        sources: The configured ones.
        now: The present.
    """
    remembered = (drilled(old) & set(sources)) - drilled(new)
    unproven = drilled(new) - proven(new)
    kept = [
        one
        for one in old
        if (one.name in METRICS and one.source in remembered and one.name not in OF_SETTINGS)
        or (one.name in OF_PROOF and one.source in unproven)
    ]
    kept = [*_fresh(kept, new), *(one for one in kept if one.name != _FRESH)]
    expired = {one.source for one in kept if one.name == _FRESH and one.value <= now.timestamp()}
    known = [one for one in new if one.name != _DUE or one.source not in remembered]
    return known + [
        replace(one, value=1.0) if one.name == _DUE and one.source in expired else one
        for one in kept
    ]


def _fresh(kept: Collection[Sample], new: Collection[Sample]) -> Iterator[Sample]:
    """Yield when the kept proofs expire by the intervals of now: they may have changed."""
    intervals = {one.source: one.value for one in new if one.name == _EVERY}
    for one in kept:
        if one.name == _PROVEN and one.source in intervals:
            yield replace(one, name=_FRESH, value=one.value + intervals[one.source])
