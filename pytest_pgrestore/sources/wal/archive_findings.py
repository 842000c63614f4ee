"""What a report says of a WAL archive: the check `archive`, notes, and the nearest stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.target import AtName
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.wal import commits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.wal.segments import Supply, WalFile
    from pytest_pgrestore.sources.wal.timelines import TimelinePath

CHECK = "archive"
"""Name of the check."""


def check(found: Supply) -> Check:
    """Return the passed check: the segments a drill needs are there, without a gap between them."""
    after = f"; after them {found.break_words()}" if found.broken else ""
    message = f"{found.words()} without a hole{after}"
    return Check(name=CHECK, verdict=Verdict.PASSED, message=message)


def notes(path: TimelinePath, found: Supply, partial: Sequence[str] = ()) -> list[str]:
    """Return one sentence for each unusual fact of an archive.

    Args:
        path: Timelines that recovery follows.
        found: The segments before any gap.
        partial: Names of incomplete segments, which are not used.
    """
    sentences = []
    if len(path.steps) > 1:
        sentences.append(f"recovery follows timelines {path}")
    if partial:
        sentences.append(f"not used, because not complete: {', '.join(partial)}")
    if found.broken:
        sentences.append(f"the archive breaks off after {found.end}: {found.break_words()}")
    return sentences


def nearest_stops(
    files: Sequence[WalFile], found: Supply, target: RecoveryTarget, programs: PostgresPrograms
) -> list[str]:
    """Return the stops in `files` nearest to `target`, and the gap that ends `found`, if any."""
    stops = commits.stops_in(files, programs, named=isinstance(target, AtName))
    broken = found.break_words()
    return [*commits.nearest(stops, target), *([broken] if broken else [])]
