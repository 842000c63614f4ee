"""How each configured source stands: read from the history alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from pytest_pgrestore.history.reasons import (
    NOT_OF_SOURCE,
    by_drill,
    is_overdue,
    proof_of,
    reasons_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from pytest_pgrestore.history.entry import Entry, PastDrill
    from pytest_pgrestore.history.reasons import Drilled


class Standing(StrEnum):
    """How a source stands."""

    PROVEN = "proven"
    """Its last drills were green, and `every` has not passed since."""
    OVERDUE = "overdue"
    """`every` has passed since a drill of it was green."""
    DUE = "due"
    """Its last drills were not all green, or its settings changed."""
    NEVER = "never drilled"
    UNSCHEDULED = "no interval"
    """It has no `every`, and its last drills were green."""


LATE = frozenset({Standing.OVERDUE, Standing.DUE, Standing.NEVER})


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """One source.

    Attributes:
        source: Its name.
        every: Its interval; None without one.
        standing: See `Standing`.
        reasons: Why it is due, a sentence each; with the drill's name where it has several.
        last: Its last drill; None if it never had one.
        last_green: Its oldest last green one: the proof of the drill that expires first. If none of
            its drills was ever green, the last green one of a target that was given up.
        runs: Number of its drills in the history, given up or not.
        run: The run of its last drill.
        green_run: The run of its last green one.
        newest: The newest drill of each target that is not given up.
    """

    source: str
    every: timedelta | None
    standing: Standing
    reasons: tuple[str, ...]
    last: PastDrill | None
    last_green: PastDrill | None
    runs: int
    run: str | None = None
    green_run: str | None = None
    newest: tuple[PastDrill, ...] = ()

    @property
    def fresh_until(self) -> datetime | None:
        """When the last proof expires; None without `every` or proof."""
        if self.every is None or self.last_green is None:
            return None
        return self.last_green.started_at + self.every


class _Asked(NamedTuple):
    """What decides how a source stands, beside its drills.

    Attributes:
        now: The present.
        settings: The digests of its settings.
        unknown_until: Runs up to here are missing.
        tests: The digest of the tests of each drill in the newest full run that had it.
    """

    now: datetime
    settings: Mapping[str, str]
    unknown_until: datetime | None
    tests: Mapping[str, str | None]


def standings(
    sources: Mapping[str, timedelta | None],
    entries: Iterable[Entry],
    now: datetime,
    settings: Mapping[str, Mapping[str, str]] | None = None,
    *,
    unknown_until: datetime | None = None,
) -> list[SourceStanding]:
    """Return how each source stands, in the order of `sources`.

    A source's drills are those of the newest full run that names it, and of the runs after it. So
    a target that no test asks for any more is given up, and a run of one target hides no other.
    The proof of a drill has the tests of the newest full run that had it: a run of one test by hand
    proves less.

    Args:
        sources: The interval of each configured source; None without one.
        entries: Of the history, in order.
        now: The present.
        settings: The digests of each source's own settings; None compares none.
        unknown_until: Runs up to here are missing, and one of them may have been red.
    """
    entries = list(entries)
    past = by_drill(entries)
    current: dict[str, list[str]] = {}
    whole: dict[str, str | None] = {}
    for entry in entries:
        if entry.full:
            whole |= {one.drill: one.tests for one in entry.drills}
        named: dict[str, list[str]] = {}
        names = [(one.source, one.drill) for one in entry.drills]
        names += [(one.source, one.drill) for one in entry.left_out]
        for source, drill in names:
            named.setdefault(source, []).append(drill)
        for source, drills in named.items():
            before = [] if entry.full else current.get(source, [])
            current[source] = list(dict.fromkeys((*before, *drills)))
    return [
        _standing(
            name,
            every,
            {key: past[key] for key in current.get(name, []) if key in past},
            sorted(
                (one for found in past.values() for one in found if one.drill.source == name),
                key=lambda one: one.drill.started_at,
            ),
            _Asked(now, (settings or {}).get(name, {}), unknown_until, whole),
        )
        for name, every in sources.items()
    ]


def _standing(
    source: str,
    every: timedelta | None,
    drills: Mapping[str, Sequence[Drilled]],
    every_one: Sequence[Drilled],
    asked: _Asked,
) -> SourceStanding:
    if not every_one:
        return SourceStanding(source, every, Standing.NEVER, ("it was never drilled",), *_NOTHING)
    reasons = []
    for key, past in drills.items():
        lead = f"{key}: " if len(drills) > 1 else ""
        found = reasons_of(
            past,
            every=every,
            now=asked.now,
            settings=_with_others(past, asked.settings, asked.tests.get(key)),
            tests=asked.tests.get(key),
            unknown_until=asked.unknown_until,
        )
        reasons += [f"{lead}{reason}" for reason in found]
    proofs = [proof_of(past, asked.tests.get(key)) for key, past in drills.items()]
    greens = sorted(
        (one for one in proofs if one is not None), key=lambda one: one.drill.started_at
    )
    last, green = every_one[-1], greens[0] if greens else proof_of(every_one)
    if greens and green is not None and is_overdue(green.drill, every, asked.now):
        standing = Standing.OVERDUE
    elif reasons:
        standing = Standing.DUE
    else:
        standing = Standing.UNSCHEDULED if every is None else Standing.PROVEN
    return SourceStanding(
        source,
        every,
        standing,
        tuple(reasons),
        last.drill,
        None if green is None else green.drill,
        len(every_one),
        last.run,
        None if green is None else green.run,
        tuple(past[-1].drill for past in drills.values()),
    )


_NOTHING = (None, None, 0)
"""Last drill, last green one and number of drills of a source that has none."""


def _with_others(
    past: Sequence[Drilled], settings: Mapping[str, str], tests: str | None
) -> Mapping[str, str]:
    """Return a source's settings, and those of its last green drill that are not the source's."""
    proof = proof_of(past, tests)
    if not settings or proof is None:
        return {}
    others = {
        name: value
        for name, value in proof.drill.settings.items()
        if name.startswith(NOT_OF_SOURCE)
    }
    return {**others, **settings} if proof.drill.settings else {}
