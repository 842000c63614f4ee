"""Drills whose restore times may be compared: same source, server, tool, sandbox and machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.versions import tool_in, version_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pytest_pgrestore.history.entry import Entry, PastDrill

LOOKED_BACK = timedelta(days=400)
"""Older drills say little of the backups of today."""

_JUDGED = frozenset({ObjectiveStatus.MET, ObjectiveStatus.MISSED})

_MOST = 200
"""Drills of one kind of backup that are looked at: all pairs of them are compared."""


class Key(NamedTuple):
    """What the drills of a series share. The names of the fields are those that a reader sees."""

    source: str
    target: str
    type: str
    form: str
    server: str
    tool: str
    sandbox: str
    confinement: str
    machine: str
    definition: str


@dataclass(frozen=True, slots=True)
class Point:
    """One restore that came up.

    Attributes:
        at: Start of the drill.
        seconds: The restore time.
        phases: Seconds by name, of all phases.
        kind: Of the backup.
        verdict: Of the drill.
        size_bytes: Of all databases after the restore.
        wal_bytes: WAL replayed.
        rto_seconds: The objective of the drill, if it was judged.
    """

    at: datetime
    seconds: float
    phases: dict[str, float]
    kind: str
    verdict: Verdict
    size_bytes: int | None
    wal_bytes: int | None
    rto_seconds: float | None

    @property
    def green(self) -> bool:
        """Whether the drill passed."""
        return self.verdict is Verdict.PASSED

    @property
    def replay(self) -> float:
        """Seconds of replay; 0 where there was none."""
        return self.phases.get("replay", 0.0)


@dataclass(frozen=True, slots=True)
class Series:
    """The restores of one key, oldest first.

    Attributes:
        key: What they share.
        points: They themselves.
        began: What was another before the first one; "" if nothing was there before.
    """

    key: Key
    points: tuple[Point, ...]
    began: str = ""


def key_of(drill: PastDrill) -> Key:
    """Return the key of a drill. A target that moves, such as a time, counts as one kind."""
    backup, around = drill.backup, drill.surroundings
    return Key(
        source=drill.source,
        target=target_kind(drill.target),
        type=drill.source_type,
        form="" if backup is None else backup.form,
        server=version_in(drill.server_version),
        tool=tool_in(None if backup is None else backup.restored_by),
        sandbox=drill.sandbox or "",
        confinement="" if around is None else around.confinement,
        machine="" if around is None else around.machine,
        definition="" if around is None else around.definition,
    )


def target_kind(target: str) -> str:
    """Return the kind of a target, e.g. ``time`` of ``time:2026-06-15T14:05:00+00:00``."""
    return target.partition(":")[0]


def series_of(drills: Iterable[PastDrill], last: PastDrill) -> Series:
    """Return the series that a drill is the newest of.

    Args:
        drills: Of the history, in any order; `last` may be one of them.
        last: The drill. What began after it is left out.
    """
    key = key_of(last)
    related = [
        one
        for one in {id(one): one for one in (*drills, last)}.values()
        if one.source == last.source
        and target_kind(one.target) == key.target
        and last.started_at - LOOKED_BACK <= one.started_at <= last.started_at
        and one.restore_seconds is not None
    ]
    related.sort(key=lambda one: one.started_at)
    same = [one for one in related if key_of(one) == key]
    before = [one for one in related if same and one.started_at < same[0].started_at]
    return Series(
        key=key,
        points=tuple(_thinned([point_of(one) for one in same])),
        began=_difference(key_of(before[-1]), key) if before else "",
    )


def newest(entries: Iterable[Entry]) -> list[PastDrill]:
    """Return the newest drill that came up of each source and kind of target, by their names."""
    found: dict[tuple[str, str], PastDrill] = {}
    for entry in entries:
        for drill in entry.drills:
            place = drill.source, target_kind(drill.target)
            known = found.get(place)
            later = known is None or known.started_at <= drill.started_at
            if later and drill.restore_seconds is not None:
                found[place] = drill
    return [found[place] for place in sorted(found)]


def point_of(drill: PastDrill) -> Point:
    """Return the point of a drill that came up."""
    backup, around = drill.backup, drill.surroundings
    return Point(
        at=drill.started_at,
        seconds=drill.restore_seconds or 0.0,
        phases=dict(drill.phases),
        kind="" if backup is None else backup.kind,
        verdict=drill.verdict,
        size_bytes=None if around is None else around.restored_bytes,
        wal_bytes=None if around is None else around.wal_bytes,
        rto_seconds=drill.rto.objective_seconds if drill.rto.judgement in _JUDGED else None,
    )


def _thinned(points: list[Point]) -> list[Point]:
    """Return at most `_MOST` points of each kind, the newest one among them."""
    by_kind: dict[str, list[Point]] = {}
    for point in points:
        by_kind.setdefault(point.kind, []).append(point)
    kept = []
    for same in by_kind.values():
        kept += same[:: -ceil(len(same) / _MOST)]
    return sorted(kept, key=lambda point: point.at)


def _difference(before: Key, now: Key) -> str:
    """Return what is another one since a series began."""
    changed = [
        f"{name} was {old or 'not known'}, and is {new or 'not known'}"
        for name, old, new in zip(Key._fields, before, now, strict=True)
        if old != new
    ]
    return "; ".join(changed)
