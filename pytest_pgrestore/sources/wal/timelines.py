"""Timelines: which of an archive's timelines recovery follows from a backup.

Source: PostgreSQL docs, "Timelines"; src/backend/access/transam/timeline.c for history files.
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
    """The timelines recovery follows, oldest first.

    Attributes:
        steps: Each timeline, and the position where recovery leaves it; None for the last one.
    """

    steps: tuple[tuple[int, Lsn | None], ...]

    @property
    def last(self) -> int:
        """The timeline recovery ends on."""
        return self.steps[-1][0]

    def candidates(self, number: int, segment_bytes: int) -> Iterator[Segment]:
        """Yield the files that may contain segment `number`, in the order PostgreSQL tries them.

        The newer timeline comes first: its first segment file also contains the end of the old one.
        Source: src/backend/access/transam/xlogrecovery.c, XLogFileReadAnyTLI.
        """
        begins = [0, *(int(end or 0) // segment_bytes for _, end in self.steps[:-1])]
        for (timeline, end), begin in reversed(list(zip(self.steps, begins, strict=True))):
            if begin <= number and (end is None or number <= (int(end) - 1) // segment_bytes):
                yield Segment(timeline, number)

    def __str__(self) -> str:
        """Return the numbers in order."""
        return " to ".join(str(timeline) for timeline, _ in self.steps)


def parse_history(text: str) -> list[tuple[int, Lsn]]:
    """Return the ancestors in a ``.history`` file, oldest first, each with the switch position."""
    return [(int(match[1]), Lsn.parse(match[2])) for match in _LINE.finditer(text)]


def follow(
    histories: Mapping[int, str], timeline: int, wanted: Timeline, stop: Lsn
) -> tuple[TimelinePath, list[str]]:
    """Return the timelines from the backup's to the wanted one, and notes on those left out.

    Args:
        histories: Text of each ``.history`` file of the archive, by its timeline.
        timeline: The backup's timeline.
        wanted: A number, ``current`` (the backup's timeline), or ``latest`` (the newest one that
            descends from the backup's).
        stop: Where the backup ended. A timeline that branched off before cannot be reached.

    Raises:
        TargetUnreachable: The wanted timeline is missing or does not descend from this backup.
    """
    alone = TimelinePath(((timeline, None),))
    if wanted in {"current", timeline}:
        return alone, []
    if wanted != "latest":
        try:
            return _descent(histories, int(wanted), timeline, stop), []
        except _NotDescendedError as exc:
            raise TargetUnreachable(
                f"timeline {wanted} cannot be reached from this backup of timeline {timeline}:"
                f" {exc}",
                hint="leave the timeline out to follow the newest that fits, or choose another"
                " backup.",
            ) from None
    notes: list[str] = []
    for number in sorted((number for number in histories if number > timeline), reverse=True):
        try:
            return _descent(histories, number, timeline, stop), notes
        except _NotDescendedError as exc:
            notes.append(f"timeline {number} of the archive was not followed: {exc}")
    return alone, notes


class _NotDescendedError(Exception):
    """A timeline does not descend from the backup; the message is the reason."""


def _descent(histories: Mapping[int, str], number: int, timeline: int, stop: Lsn) -> TimelinePath:
    """Return the path from `timeline` to `number`.

    Raises:
        _NotDescendedError: There is no path.
    """
    if number not in histories:
        raise _NotDescendedError(f"the archive holds no {number:08X}.history")
    ancestors = parse_history(histories[number])
    if timeline not in {parent for parent, _ in ancestors}:
        named = ", ".join(str(parent) for parent, _ in ancestors) or "nothing"
        raise _NotDescendedError(
            f"its history descends from {named} and not from the backup's timeline {timeline}"
        )
    steps = [(parent, end) for parent, end in ancestors if parent >= timeline]
    if steps[0][1] < stop:
        raise _NotDescendedError(
            f"it left timeline {timeline} at {steps[0][1]}, before the backup ended at {stop}"
        )
    return TimelinePath((*steps, (number, None)))
