"""A directory of archived WAL: what is there, on which timelines, where the holes are, and staging it for recovery."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn, Segment, is_segment_name
from pytest_pgrestore.sources.backupdir import parse_label
from pytest_pgrestore.sources.codecs import SUFFIXES, open_plain, reading
from pytest_pgrestore.sources.copying import WORKERS, copy_plain
from pytest_pgrestore.sources.walheader import HEADER_BYTES, WalHeader, read_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
_BACKUP_FILE = re.compile(r"[0-9A-F]{24}\.[0-9A-F]{8}\.backup")
_HISTORY_LINE = re.compile(r"^\s*(\d+)\s+([0-9A-F]+/[0-9A-F]+)", re.MULTILINE)
_POSITION = re.compile(r"([0-9A-F]+/[0-9A-F]+)")


@dataclass(slots=True)
class WalFiles:
    """Segments and history files by their plain names, wherever they lie and however they are compressed."""

    segments: dict[str, Path] = field(default_factory=dict)
    histories: dict[int, Path] = field(default_factory=dict)
    backups: dict[Lsn, dict[str, str]] = field(default_factory=dict)
    """``.backup`` files, parsed, by the start position of their backup."""
    partial: list[str] = field(default_factory=list)
    """Segments still being received: not complete, not used."""


def scan(directory: Path) -> WalFiles:
    """List an archive directory.

    Raises:
        HarnessError: It is missing or cannot be read.
    """
    found = WalFiles()
    try:
        entries = sorted(directory.iterdir())
    except OSError as exc:
        raise HarnessError(
            f"the WAL archive {directory} cannot be read: {exc.strerror}",
            hint="check `wal` in the source, whether it is mounted, and who may read it.",
        ) from None
    for entry in entries:
        name = plain_name(entry.name)
        if is_segment_name(name):
            found.segments[name] = entry
        elif match := _HISTORY.fullmatch(name):
            found.histories[int(match[1], 16)] = entry
        elif _BACKUP_FILE.fullmatch(name):
            lines = parse_label(_text(entry))
            start = _POSITION.search(lines.get("START WAL LOCATION", ""))
            found.backups |= {Lsn.parse(start[1]): lines} if start else {}
        elif name.endswith(".partial"):
            found.partial.append(name)
    return found


def plain_name(name: str) -> str:
    """Return a file's name without the suffix of a compressor."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def header_of(path: Path) -> WalHeader | None:
    """Return the header of a segment, compressed or not."""
    with reading(path), open_plain(path) as stream:
        return read_header(stream.read(HEADER_BYTES))


@dataclass(frozen=True, slots=True)
class TimelinePath:
    """The timelines recovery follows, oldest first, each with the position where the next one leaves it."""

    steps: tuple[tuple[int, Lsn | None], ...]

    @property
    def last(self) -> int:
        """The timeline recovery ends on."""
        return self.steps[-1][0]

    def allows(self, segment: Segment, segment_bytes: int) -> bool:
        """Tell whether recovery can use this file: its timeline is followed, and not left before it."""
        begin = Lsn(0)
        for timeline, end in self.steps:
            if timeline == segment.timeline:
                after_begin = segment.end(segment_bytes) > begin
                return after_begin and (end is None or segment.start(segment_bytes) < end)
            begin = end or begin
        return False


def follow(files: WalFiles, timeline: int, wanted: int | str, start: Lsn) -> tuple[TimelinePath, list[str]]:
    """Return the timelines from the backup's to the wanted one, and notes about what was not followed.

    Args:
        files: The archive.
        timeline: The backup's.
        wanted: A number, ``current``, or ``latest``: the newest that descends from the backup's.
        start: Where replay begins; a branch that left before it is not ours.

    Raises:
        BackupNotRestorable: The wanted timeline is not there or is no descendant.
    """
    if wanted in ("current", timeline):
        return TimelinePath(((timeline, None),)), []
    notes: list[str] = []
    numbers = sorted(files.histories, reverse=True) if wanted == "latest" else [int(wanted)]
    for number in numbers:
        if number <= timeline and wanted == "latest":
            break
        path = _descent(files, number, timeline, start)
        if path is not None:
            return path, notes
        notes.append(f"timeline {number} in the archive does not descend from this backup and was not followed")
    if wanted == "latest":
        return TimelinePath(((timeline, None),)), notes
    raise BackupNotRestorable(
        f"timeline {wanted} cannot be reached from this backup on timeline {timeline}",
        hint=f"the archive holds history of {sorted(files.histories) or 'no other timeline'}; leave `timeline` out to"
        " follow the newest that fits.",
    )


def _descent(files: WalFiles, number: int, timeline: int, start: Lsn) -> TimelinePath | None:
    path = files.histories.get(number)
    if path is None:
        return None
    ancestors = [(int(match[1]), Lsn.parse(match[2])) for match in _HISTORY_LINE.finditer(_text(path))]
    steps = [(parent, end) for parent, end in ancestors if parent >= timeline]
    if not steps or steps[0][0] != timeline or steps[0][1] < start:
        return None
    return TimelinePath((*steps, (number, None)))


@dataclass(frozen=True, slots=True)
class Supply:
    """The WAL recovery can get at: complete segments in order, from where replay begins.

    Attributes:
        segments: Plain name and file of each, in order, without a hole.
        end: End of the last of them.
        missing: The first segment after them that is not there, although later ones are; None without a hole.
        cut_off: How many later segments the hole makes useless.
    """

    segments: tuple[tuple[str, Path], ...]
    end: Lsn
    missing: str | None = None
    cut_off: int = 0


def supply(files: Mapping[str, Path], path: TimelinePath, start: Lsn, segment_bytes: int) -> Supply:
    """Return the unbroken run of segments from `start` along `path`, and the hole that ends it."""
    usable: dict[int, tuple[int, str, Path]] = {}
    for name, file in files.items():
        segment = Segment.parse(name, segment_bytes)
        # Of the segment in which a timeline was left, the newer one's file holds both.
        if path.allows(segment, segment_bytes) and usable.get(segment.number, (0,))[0] < segment.timeline:
            usable[segment.number] = (segment.timeline, name, file)
    number = start // segment_bytes
    run = []
    while number in usable:
        run.append(usable[number][1:])
        number += 1
    later = [other for other in usable if other > number]
    missing = Segment(_timeline_at(path, number, segment_bytes), number).file_name(segment_bytes) if later else None
    return Supply(tuple(run), Lsn(number * segment_bytes), missing, len(later))


def stage(segments: Iterable[tuple[str, Path]], into: Path) -> int:
    """Copy segments or history files into a directory, plain; return how many. Files already there stay.

    Raises:
        BackupNotRestorable: One is cut short or damaged.
    """
    pairs = [(file, into / name) for name, file in segments if not (into / name).exists()]
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(lambda pair: copy_plain(*pair), pairs):
            pass
    return len(pairs)


def require_sound(segment: Segment, path: Path, system_identifier: int | None, segment_bytes: int) -> None:
    """Check a plain segment: right size, its own header, this cluster's.

    PostgreSQL takes most of these for the end of WAL and opens with fewer rows, without an error.

    Raises:
        BackupNotRestorable: It is not what its name says.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        header = read_header(stream.read(HEADER_BYTES))
    name = segment.file_name(segment_bytes)
    if size != segment_bytes:
        problem = f"WAL segment {name} is {size:,} bytes long instead of {segment_bytes:,}"
    elif header is None:
        problem = f"WAL segment {name} does not begin like WAL"
    elif header.page_address != segment.start(segment_bytes):
        problem = f"WAL segment {name} holds the bytes of {Lsn(header.page_address)}: it is a copy of another segment"
    elif system_identifier is not None and header.system_identifier != system_identifier:
        problem = f"WAL segment {name} is from another database cluster ({header.system_identifier})"
    else:
        return
    raise BackupNotRestorable(
        problem, hint="find out what wrote to the archive; restore the segment from another copy."
    )


def _timeline_at(path: TimelinePath, number: int, segment_bytes: int) -> int:
    for timeline, end in path.steps:
        if end is None or number * segment_bytes < end:
            return timeline
    return path.last


def _text(path: Path) -> str:
    with reading(path), open_plain(path) as stream:
        return stream.read().decode(errors="backslashreplace")
