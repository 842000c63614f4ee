"""Timelines: which of an archive's timelines recovery follows from a backup.

Source: PostgreSQL docs, "Timelines"; src/backend/access/transam/timeline.c for history files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, TargetUnreachable
from pytest_pgrestore.model.wal import Lsn, Segment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pytest_pgrestore.model.target import Timeline

FileT = TypeVar("FileT")

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

    def choose(self, names: Iterable[str], segment_bytes: int) -> dict[int, str]:
        """Return the name that PostgreSQL reads for each segment number: see `candidates`.

        Each name is looked at once, so many timelines and many segments do not multiply.
        """
        places = self._places(segment_bytes)
        found: dict[int, str] = {}
        for name in names:
            segment = Segment.parse(name, segment_bytes)
            place, first, last = places.get(segment.timeline, (-1, 0, None))
            if place < 0 or segment.number < first or (last is not None and segment.number > last):
                continue
            # A name that no cluster with segments of this size has may stand for the same number.
            if segment.file_name(segment_bytes) != name:
                continue
            known = found.get(segment.number)
            if known is None or places[int(known[:8], 16)][0] < place:
                found[segment.number] = name
        return found

    def _places(self, segment_bytes: int) -> dict[int, tuple[int, int, int | None]]:
        """Return for each timeline its place on the path, and its first and last segment number.

        The newest timeline has the highest place. The last number of the last one is None.
        """
        begins = [0, *(int(end or 0) // segment_bytes for _, end in self.steps[:-1])]
        return {
            timeline: (place, begin, None if end is None else (int(end) - 1) // segment_bytes)
            for place, ((timeline, end), begin) in enumerate(zip(self.steps, begins, strict=True))
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


def run_of_timeline(
    files: Mapping[str, FileT], timeline: int, first: int, segment_bytes: int
) -> list[FileT]:
    """Return one timeline's segments from number `first` on, up to the first gap."""
    run: list[FileT] = []
    while (name := Segment(timeline, first + len(run)).file_name(segment_bytes)) in files:
        run.append(files[name])
    return run


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
        BackupNotRestorable: A history is damaged, and PostgreSQL would read it, too.
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
            if len(notes) < _NAMED:
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
    ancestors = parse_history(histories[number], number)
    if timeline not in {parent for parent, _ in ancestors}:
        numbers = [str(parent) for parent, _ in ancestors]
        named = ", ".join(numbers[:_NAMED]) + (" ..." if numbers[_NAMED:] else "") or "nothing"
        raise _NotDescendedError(
            f"its history descends from {named} and not from the backup's timeline {timeline}"
        )
    steps = [(parent, end) for parent, end in ancestors if parent >= timeline]
    if steps[0][1] < stop:
        raise _NotDescendedError(
            f"it left timeline {timeline} at {steps[0][1]}, before the backup ended at {stop}"
        )
    return TimelinePath((*steps, (number, None)))
