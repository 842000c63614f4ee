"""Timelines: which ones recovery follows from a backup, and which in the archive are not its own.

Source: PostgreSQL docs, "Timelines"; src/backend/access/transam/timeline.c for the files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import TargetUnreachable
from pytest_pgrestore.model.wal import Lsn, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_pgrestore.model.target import Timeline

_LINE = re.compile(r"^\s*(\d+)\s+([0-9A-F]+/[0-9A-F]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TimelinePath:
    """The timelines recovery follows, oldest first, each with the position where the next one leaves it."""

    steps: tuple[tuple[int, Lsn | None], ...]

    @property
    def last(self) -> int:
        """The timeline recovery ends on."""
        return self.steps[-1][0]

    def candidates(self, number: int, segment_bytes: int) -> Iterator[Segment]:
        """Yield the files that may stand for segment `number`, the one PostgreSQL takes first at the front.

        Of the segment in which a timeline was left, the newer timeline's file holds both.
        """
        begins = [0, *(int(end or 0) // segment_bytes for _, end in self.steps[:-1])]
        for (timeline, end), begin in reversed(list(zip(self.steps, begins, strict=True))):
            if begin <= number and (end is None or number <= (int(end) - 1) // segment_bytes):
                yield Segment(timeline, number)

    def __str__(self) -> str:
        """Return the numbers in order."""
        return " to ".join(str(timeline) for timeline, _ in self.steps)


def parse_history(text: str) -> list[tuple[int, Lsn]]:
    """Return the ancestors a ``.history`` file names, oldest first, each with the position where it was left."""
    return [(int(match[1]), Lsn.parse(match[2])) for match in _LINE.finditer(text)]


def follow(
    histories: Mapping[int, str], timeline: int, wanted: Timeline, stop: Lsn
) -> tuple[TimelinePath, list[str]]:
    """Return the timelines from the backup's to the wanted one, and notes on those that were not followed.

    Args:
        histories: Text of each ``.history`` file of the archive, by its timeline.
        timeline: The backup's.
        wanted: A number, ``current`` (the backup's), or ``latest``: the newest that descends from the backup's.
        stop: Where the backup ended; a branch that left before it cannot be reached from this backup.

    Raises:
        TargetUnreachable: The wanted timeline is not there, or does not descend from this backup.
    """
    alone = TimelinePath(((timeline, None),))
    if wanted in {"current", timeline}:
        return alone, []
    if wanted != "latest":
        path, why = _descent(histories, int(wanted), timeline, stop)
        if path is None:
            raise TargetUnreachable(
                f"timeline {wanted} cannot be reached from this backup of timeline {timeline}: {why}",
                hint="leave the timeline out to follow the newest that fits, or choose another backup.",
            )
        return path, []
    notes: list[str] = []
    for number in sorted((number for number in histories if number > timeline), reverse=True):
        path, why = _descent(histories, number, timeline, stop)
        if path is not None:
            return path, notes
        notes.append(f"timeline {number} of the archive was not followed: {why}")
    return alone, notes


def _descent(
    histories: Mapping[int, str], number: int, timeline: int, stop: Lsn
) -> tuple[TimelinePath | None, str]:
    """Return the way from `timeline` to `number`, or why there is none."""
    if number not in histories:
        return None, f"the archive holds no {number:08X}.history"
    ancestors = parse_history(histories[number])
    if timeline not in {parent for parent, _ in ancestors}:
        named = ", ".join(str(parent) for parent, _ in ancestors) or "nothing"
        return (
            None,
            f"its history descends from {named} and not from the backup's timeline {timeline}",
        )
    steps = [(parent, end) for parent, end in ancestors if parent >= timeline]
    if steps[0][1] < stop:
        return (
            None,
            f"it left timeline {timeline} at {steps[0][1]}, before the backup ended at {stop}",
        )
    return TimelinePath((*steps, (number, None))), ""
