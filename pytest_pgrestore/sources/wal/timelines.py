"""Timelines: which of an archive's timelines recovery follows from a backup.

Source: PostgreSQL docs, "Timelines"; src/backend/access/transam/timeline.c for history files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn, Segment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


LARGEST_HISTORY = 1 << 20
"""Bytes of a ``.history`` file: 1 MiB. A line is about 50 bytes, and a timeline adds one."""

MOST_TIMELINES = 4096
"""Timelines of an archive. Each promotion makes one: this is one a day for eleven years."""

_LINE = re.compile(r"(\d{1,10})[ \t]+([0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8})(?![0-9A-Fa-f])")
_NAME = re.compile(r"([0-9A-F]{8})\.history")
_NAMED = 3
"""Most timelines that a message names."""


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

    @property
    def last_begins(self) -> Lsn | None:
        """Where that timeline begins; None if it is the backup's own."""
        return self.steps[-2][1] if len(self.steps) > 1 else None

    def choose(self, names: Iterable[str], segment_bytes: int) -> dict[int, tuple[int, str]]:
        """Return the name that PostgreSQL reads for each segment number, and its place.

        The place is that of its timeline on the path; the newest has the highest. PostgreSQL reads
        the highest there is, also a segment of a timeline that the path has left, and never goes
        back to a lower place. Each name is looked at once, so many timelines and many segments do
        not multiply.
        Source: src/backend/access/transam/xlogrecovery.c, XLogFileReadAnyTLI.
        """
        places = self._places(segment_bytes)
        found: dict[int, tuple[int, str]] = {}
        for name in names:
            segment = Segment.parse(name, segment_bytes)
            place, first = places.get(segment.timeline, (-1, 0))
            if place < 0 or segment.number < first:
                continue
            # A name that no cluster with segments of this size has may stand for the same number.
            if segment.file_name(segment_bytes) != name:
                continue
            if segment.number not in found or found[segment.number][0] < place:
                found[segment.number] = place, name
        return found

    def _places(self, segment_bytes: int) -> dict[int, tuple[int, int]]:
        """Return for each timeline its place on the path, and its first segment number."""
        begins = [0, *(int(end or 0) // segment_bytes for _, end in self.steps[:-1])]
        return {
            timeline: (place, begin)
            for place, ((timeline, _), begin) in enumerate(zip(self.steps, begins, strict=True))
        }

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
        """Return the numbers in order; of a long path the first and the last."""
        numbers = [str(timeline) for timeline, _ in self.steps]
        if len(numbers) > 2 * _NAMED:
            numbers = [*numbers[:_NAMED], "...", *numbers[-_NAMED:]]
        return " to ".join(numbers)


def histories_among(names: Iterable[str]) -> dict[int, str]:
    """Return the names of ``.history`` files among the names of an archive, by timeline.

    Raises:
        HarnessError: There are more than `MOST_TIMELINES`.
    """
    matches = (_NAME.fullmatch(name) for name in names)
    found = {int(match[1], 16): match[0] for match in matches if match is not None}
    require_few(found)
    return found


def require_few(histories: Collection[int]) -> None:
    """Refuse an archive of too many timelines, before their files are read.

    Raises:
        HarnessError: There are more than `MOST_TIMELINES`.
    """
    if len(histories) > MOST_TIMELINES:
        raise HarnessError(
            f"the archive has {len(histories)} .history files, and at most {MOST_TIMELINES} are"
            " read",
            hint="find out what promotes servers that often; move the files of old timelines away.",
        )


def parse_history(text: str, timeline: int) -> list[tuple[int, Lsn]]:
    """Return the ancestors in a ``.history`` file, oldest first, each with the switch position.

    Args:
        text: Content of the file.
        timeline: The timeline whose ancestors they are.

    Raises:
        BackupNotRestorable: It is none of PostgreSQL's. The text is not quoted: the file may be
            another one than it seems.

    Source: src/backend/access/transam/timeline.c, readTimeLineHistory: numbers increase, and are
    less than that of the file.
    """
    if len(text) > LARGEST_HISTORY:
        raise _no_history(timeline, f"it has more than {LARGEST_HISTORY} bytes")
    found: list[tuple[int, Lsn]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()  # noqa: PLW2901 - of PostgreSQL's own reader
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise _no_history(timeline, f"line {number} does not name a timeline and a position")
        parent, end = int(match[1]), Lsn.parse(match[2])
        older, left = found[-1] if found else (0, Lsn(0))
        if not older < parent < timeline or end < left:
            raise _no_history(timeline, f"line {number} is out of order")
        found.append((parent, end))
    if not found and timeline > 1:
        raise _no_history(timeline, "it names no ancestor")
    return found


def _no_history(timeline: int, why: str) -> BackupNotRestorable:
    return BackupNotRestorable(
        f"{timeline:08X}.history is damaged: {why}",
        hint="restore it from another copy of the archive; to do without it, name the timeline to"
        " follow in `timeline`.",
    )
