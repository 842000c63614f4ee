"""WAL files: what a directory of them holds, and which segments recovery can use without a gap."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn, Segment, is_segment_name
from pytest_pgrestore.sources.codecs import codec_of, open_plain, plain_name, reading
from pytest_pgrestore.sources.wal import in_flight
from pytest_pgrestore.sources.wal.archive_names import names_in, other_form
from pytest_pgrestore.sources.wal.backup_label import LARGEST_LABEL, BackupLabel, parse_label
from pytest_pgrestore.sources.wal.header import HEADER_BYTES, Expected, fault
from pytest_pgrestore.sources.wal.small_file import read_small
from pytest_pgrestore.sources.wal.timelines import LARGEST_HISTORY, require_few

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_pgrestore.sources.wal.timelines import TimelinePath

_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
_BACKUP_FILE = re.compile(r"([0-9A-F]{24})\.[0-9A-F]{8}\.backup")


@dataclass(frozen=True, slots=True)
class WalFile:
    """One segment: a file, compressed or not, or a member of a tar.

    Attributes:
        name: Name of the segment, without the suffix of a compressor.
        place: The file, the tar that contains it, or the directory of `entry`.
        in_tar: Size and first bytes of a member of a tar; None for a file.
        entry: Name in the directory `place`; empty if `place` is the file. Paths take much memory.
    """

    name: str
    place: Path
    in_tar: tuple[int, bytes] | None = None
    entry: str = ""

    @property
    def path(self) -> Path:
        """The file, or the tar that contains it."""
        return self.place / self.entry if self.entry else self.place

    def head(self) -> tuple[int | None, bytes]:
        """Return the size in bytes, None for a compressed file, and the first bytes.

        Raises:
            BackupNotRestorable: The file is compressed and cannot be decompressed.
            HarnessError: The file cannot be read.
        """
        if self.in_tar is not None:
            return self.in_tar
        with reading(self.path):
            size = self.path.stat().st_size if codec_of(self.path) == "none" else None
            with open_plain(self.path) as stream:
                return size, stream.read(HEADER_BYTES)


@dataclass(slots=True)
class WalFiles:
    """Segments and the files that belong to them.

    Attributes:
        segments: Segment by its name.
        histories: ``.history`` file by its timeline.
        backups: ``.backup`` files by the name of the segment in which the backup starts.
        partial: Names of incomplete segments, which are not used (pg_receivewal, a promotion).
        unread: Names of segments in a form that is not read here, such as ``.gpg``.
    """

    segments: dict[str, WalFile] = field(default_factory=dict)
    histories: dict[int, Path] = field(default_factory=dict)
    backups: dict[str, list[Path]] = field(default_factory=dict)
    partial: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def history_texts(self) -> dict[int, str]:
        """Return the text of each ``.history`` file by its timeline.

        Raises:
            BackupNotRestorable: One is cut short, damaged, too large, or no regular file.
            HarnessError: There are too many, or one cannot be read.
        """
        require_few(self.histories)
        return {
            timeline: read_small(path, LARGEST_HISTORY) for timeline, path in self.histories.items()
        }

    def history_of(self, label: BackupLabel | None) -> BackupLabel | None:
        """Return the ``.backup`` file of the backup with `label`; None without one."""
        for path in self.backups.get(label.start_file, ()) if label else ():
            try:
                said = parse_label(read_small(path, LARGEST_LABEL), path.name)
            except BackupNotRestorable:
                continue
            if label is not None and said.start_lsn == label.start_lsn:
                return said
        return None


def scan(directory: Path) -> WalFiles:
    """Return the WAL files of an archive directory.

    Raises:
        HarnessError: The directory is missing, has too many files, or cannot be read.
    """
    found = WalFiles()
    try:
        for folder, name in names_in(directory):
            _sort_in(folder, name, found)
    except OSError as exc:
        raise HarnessError(
            f"the WAL archive {directory} cannot be read: {exc.strerror}",
            hint="check `wal` in the source, whether it is mounted, and who may read it.",
        ) from None
    found.partial.sort()
    return found


def _sort_in(folder: Path, entry: str, found: WalFiles) -> None:
    name = plain_name(entry)
    if is_segment_name(name):
        # The first name in order counts: the plain file, which need not be decompressed.
        known = found.segments.get(name)
        if known is None or entry < known.entry:
            # For a plain file both names are one object.
            found.segments[name] = WalFile(name, folder, entry=name if entry == name else entry)
    elif match := _HISTORY.fullmatch(name):
        found.histories[int(match[1], 16)] = folder / entry
    elif match := _BACKUP_FILE.fullmatch(name):
        found.backups.setdefault(match[1], []).append(folder / entry)
    elif name.endswith(".partial"):
        found.partial.append(name)
    elif other_form(name):
        found.unread.append(entry)


@dataclass(frozen=True, slots=True)
class Supply:
    """The WAL recovery can use: complete segments in order, without a gap.

    Attributes:
        files: The segments, from the one in which replay begins.
        end: End of the last of them.
        broken: Why the run ends although later segments exist, in words: a missing or a damaged
            segment; empty if no later segment exists.
        cut_off: Number of later segments that cannot be used.
    """

    files: tuple[WalFile, ...]
    end: Lsn
    broken: str = ""
    cut_off: int = 0

    def words(self) -> str:
        """Return the number of segments, the first and the last one, for messages."""
        if not self.files:
            return "no WAL segment"
        first, last = self.files[0].name, self.files[-1].name
        return f"{len(self.files)} segments from {first} to {last}"

    def break_words(self) -> str:
        """Return why the run ends early, for messages; empty if it does not."""
        later = f"; {self.cut_off} later segments cannot be reached"
        return self.broken + later if self.broken else ""


def supply(
    files: Mapping[str, WalFile], path: TimelinePath, start: Lsn, segment_bytes: int
) -> Supply:
    """Return the run of segments from `start` along `path` up to the first gap, by names alone."""
    per_number = path.choose(files, segment_bytes)
    number, place, run = start // segment_bytes, 0, []
    while number in per_number and per_number[number][0] >= place:
        place, name = per_number[number]
        run.append(files[name])
        number += 1
    later = sum(
        other > number and other_place >= place for other, (other_place, _) in per_number.items()
    )
    broken = ""
    if later:
        missing = next(path.candidates(number, segment_bytes)).file_name(segment_bytes)
        broken = f"WAL segment {missing} is missing from the archive"
    return Supply(tuple(run), Lsn(number * segment_bytes), broken, later)


def limited(found: Supply, segment_bytes: int, until: Lsn | None) -> Supply:
    """Return `found` up to `until`, or all of it if `until` is None."""
    if until is None:
        return found
    # One segment more: a WAL record that begins before `until` may end in the next segment.
    limit = until // segment_bytes + 2
    kept = tuple(
        file for file in found.files if Segment.parse(file.name, segment_bytes).number < limit
    )
    if len(kept) == len(found.files):
        return found
    return Supply(kept, Lsn(limit * segment_bytes), found.broken, found.cut_off)


def sound(found: Supply, expected: Expected, until: Lsn | None) -> Supply:
    """Return `found` up to its first damaged segment, and up to `until` unless that is None.

    PostgreSQL takes most damage for the end of WAL and opens with fewer rows, without an error.
    Source: src/backend/access/transam/xlogrecovery.c, ReadRecord (emode_for_corrupt_record).
    """
    size = expected.segment_bytes
    found = limited(found, size, until)
    for place, file in enumerate(found.files):
        segment = Segment.parse(file.name, size)
        newest = place == len(found.files) - 1 and not found.cut_off
        problem = _fault_once_still(file, segment, expected, newest=newest)
        if problem is not None:
            later = len(found.files) - place - 1 + found.cut_off
            return Supply(
                found.files[:place],
                segment.start(size),
                f"WAL segment {file.path} {problem}",
                later,
            )
    return found


def _fault_once_still(
    file: WalFile, segment: Segment, expected: Expected, *, newest: bool
) -> str | None:
    """Return what is wrong with a segment; the newest one may still be on its way."""

    def fault() -> str | None:
        return fault_of(file, segment, expected)

    if not newest or file.in_tar is not None:
        return fault()
    return in_flight.looked_at_again(file.path, fault, expected.segment_bytes)


def fault_of(file: WalFile, segment: Segment, expected: Expected) -> str | None:
    """Return what is wrong with a segment's size or first bytes; None if nothing is."""
    try:
        size, start = file.head()
    except BackupNotRestorable as exc:
        return f"does not unpack: {exc.problem}"
    return fault(start, size, segment, expected)
