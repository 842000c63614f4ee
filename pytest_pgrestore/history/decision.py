"""Whether a drill is due: its past first, and only then what it would restore now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.history.reasons import by_drill, left_out, proof_of, reasons_ahead, reasons_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime, timedelta

    from pytest_pgrestore.history.entry import Entry
    from pytest_pgrestore.model.drill import NextRestore
    from pytest_pgrestore.model.evidence import LeftOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A drill that tests ask for, and what is known of it here.

    Attributes:
        drill: Its key.
        source: Name of its source.
        every: Of its source.
        settings: The digests of its settings.
        tests: The digest of its tests.
    """

    drill: str
    source: str
    every: timedelta | None
    settings: Mapping[str, str]
    tests: str | None


def decide(
    wanted: Wanted,
    entries: Iterable[Entry],
    now: datetime,
    look: Callable[[], NextRestore | str],
    *,
    unknown_until: datetime | None = None,
) -> tuple[str, ...] | LeftOut:
    """Return why a drill is due, a sentence each; or the proof that stands for it.

    Args:
        wanted: The drill.
        entries: Of the history.
        now: The present.
        look: Returns what it would restore now, or why that cannot be told. It may take minutes,
            so it is called only if nothing else makes the drill due.
        unknown_until: Runs up to here are missing.
    """
    pasts = by_drill(entries)
    past = pasts.get(wanted.drill, [])
    reasons = reasons_of(
        past,
        every=wanted.every,
        now=now,
        settings=wanted.settings,
        tests=wanted.tests,
        unknown_until=unknown_until,
    )
    proof = proof_of(past, wanted.tests)
    if reasons or proof is None:
        return tuple(reasons)
    ahead = look()
    if isinstance(ahead, str):
        return (ahead,)
    known = (one.drill for found in pasts.values() for one in found)
    greens = [one for one in known if one.source == wanted.source and one.is_proof()]
    reasons = reasons_ahead(proof.drill, ahead, greens, wanted.every)
    return tuple(reasons) or left_out(proof, ahead, wanted.every, now)
