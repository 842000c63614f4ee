"""WAL files: what a directory of them holds, and the unbroken run of segments recovery can get at."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn, Segment, is_segment_name
from pytest_pgrestore.sources.codecs import codec_of, open_plain, plain_name, reading
from pytest_pgrestore.sources.copying import copy_plain, in_parallel
from pytest_pgrestore.sources.wal.backup_label import BackupLabel, parse_label
from pytest_pgrestore.sources.wal.header import HEADER_BYTES, Expected, fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_pgrestore.sources.wal.timelines import TimelinePath

_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
_BACKUP_FILE = re.compile(r"([0-9A-F]{24})\.[0-9A-F]{8}\.backup")
_SHELF = re.compile(r"[0-9A-F]{16}")
"""Some archives sort segments into directories by the first 16 digits of their names."""


@dataclass(frozen=True, slots=True)
class WalFile:
    """One segment, wherever it lies and however it is compressed.

    Attributes:
        name: Its plain name.
        path: The file, or the tar that holds it.
        in_tar: Its size and first bytes where it lies in a tar; None where it is a file.
    """

    name: str
    path: Path
    in_tar: tuple[int, bytes] | None = None

    def head(self) -> tuple[int | None, bytes]:
        """Return its size, None where only unpacking would tell, and its first bytes.

        Raises:
            BackupNotRestorable: It is compressed and does not unpack.
            HarnessError: It cannot be read.
        """
        if self.in_tar is not None:
            return self.in_tar
        with reading(self.path):
            size = self.path.stat().st_size if codec_of(self.path) == "none" else None
            with open_plain(self.path) as stream:
                return size, stream.read(HEADER_BYTES)


@dataclass(slots=True)
class WalFiles:
    """Segments and what belongs to them, by their plain names."""

    segments: dict[str, WalFile] = field(default_factory=dict)
    histories: dict[int, Path] = field(default_factory=dict)
    backups: dict[str, list[Path]] = field(default_factory=dict)
    """``.backup`` files by the segment their backup starts in."""
    partial: list[str] = field(default_factory=list)
    """Segments still being received, or left so by a failover: not complete, not used."""

    def history_texts(self) -> dict[int, str]:
        """Return the text of each ``.history`` file by its timeline."""
        return {timeline: _text(path) for timeline, path in self.histories.items()}

    def history_of(self, label: BackupLabel | None) -> BackupLabel | None:
        """Return what the archive's ``.backup`` file says of the backup with `label`; None without one."""
        for path in self.backups.get(label.start_file, ()) if label else ():
            try:
                said = parse_label(_text(path), path.name)
            except BackupNotRestorable:
                continue
            if label is not None and said.start_lsn == label.start_lsn:
                return said
        return None


def scan(directory: Path) -> WalFiles:
    """List an archive directory.

    Raises:
        HarnessError: It is missing or cannot be read.
    """
    found = WalFiles()
    try:
        for entry in sorted(directory.iterdir()):
            if _SHELF.fullmatch(entry.name) and entry.is_dir():
                for inner in sorted(entry.iterdir()):
                    _sort_in(inner, found)
            else:
                _sort_in(entry, found)
    except OSError as exc:
        raise HarnessError(
            f"the WAL archive {directory} cannot be read: {exc.strerror}",
            hint="check `wal` in the source, whether it is mounted, and who may read it.",
        ) from None
    return found


def _sort_in(path: Path, found: WalFiles) -> None:
    name = plain_name(path.name)
    if is_segment_name(name):
        # Plain before compressed, where both are there: nothing to unpack.
        if name not in found.segments or name == path.name:
            found.segments[name] = WalFile(name, path)
    elif match := _HISTORY.fullmatch(name):
        found.histories[int(match[1], 16)] = path
    elif match := _BACKUP_FILE.fullmatch(name):
        found.backups.setdefault(match[1], []).append(path)
    elif name.endswith(".partial"):
        found.partial.append(name)


@dataclass(frozen=True, slots=True)
class Supply:
    """The WAL recovery can get at: complete segments in order, from where replay begins.

    Attributes:
        files: In order, without a hole, from the segment replay begins in.
        end: End of the last of them.
        broken: What ends them although later ones are there, in words: a hole or a damaged file; empty where nothing.
        cut_off: How many later segments that makes useless.
    """

    files: tuple[WalFile, ...]
    end: Lsn
    broken: str = ""
    cut_off: int = 0

    def words(self) -> str:
        """Return what was found, for messages."""
        if not self.files:
            return "no WAL segment"
        first, last = self.files[0].name, self.files[-1].name
        return f"{len(self.files)} segments from {first} to {last}"

    def break_words(self) -> str:
        """Return what ends the run early, for messages; empty where nothing does."""
        return (
            f"{self.broken}; {self.cut_off} later segments cannot be reached" if self.broken else ""
        )


def supply(
    files: Mapping[str, WalFile], path: TimelinePath, start: Lsn, segment_bytes: int
) -> Supply:
    """Return the unbroken run of segments from `start` along `path`, by their names alone."""
    per_number: dict[int, WalFile] = {}
    for name in files:
        number = Segment.parse(name, segment_bytes).number
        if number not in per_number:
            named = (
                candidate.file_name(segment_bytes)
                for candidate in path.candidates(number, segment_bytes)
            )
            chosen = next((files[candidate] for candidate in named if candidate in files), None)
            if chosen is not None:
                per_number[number] = chosen
    number = start // segment_bytes
    run = []
    while number in per_number:
        run.append(per_number[number])
        number += 1
    later = sum(other > number for other in per_number)
    broken = ""
    if later:
        missing = next(path.candidates(number, segment_bytes)).file_name(segment_bytes)
        broken = f"WAL segment {missing} is missing from the archive"
    return Supply(tuple(run), Lsn(number * segment_bytes), broken, later)


def limited(found: Supply, segment_bytes: int, until: Lsn | None) -> Supply:
    """Return `found` as far as `until` (None: to its end)."""
    if until is None:
        return found
    # One more than holds `until`: a record that begins there may end in the next.
    limit = until // segment_bytes + 2
    kept = tuple(
        file for file in found.files if Segment.parse(file.name, segment_bytes).number < limit
    )
    if len(kept) == len(found.files):
        return found
    return Supply(kept, Lsn(limit * segment_bytes), found.broken, found.cut_off)


def sound(found: Supply, expected: Expected, until: Lsn | None) -> Supply:
    """Return `found` as far as `until` (None: to its end) and no further than its first damaged segment.

    PostgreSQL takes most damage for the end of WAL and opens with fewer rows, without an error.
    """
    size = expected.segment_bytes
    found = limited(found, size, until)
    for place, file in enumerate(found.files):
        segment = Segment.parse(file.name, size)
        problem = fault_of(file, segment, expected)
        if problem is not None:
            later = len(found.files) - place - 1 + found.cut_off
            return Supply(
                found.files[:place],
                segment.start(size),
                f"WAL segment {file.path} {problem}",
                later,
            )
    return found


def fault_of(file: WalFile, segment: Segment, expected: Expected) -> str | None:
    """Return what is wrong with a segment as far as its first bytes tell; None when nothing is."""
    try:
        size, start = file.head()
    except BackupNotRestorable as exc:
        return f"does not unpack: {exc.problem}"
    return fault(start, size, segment, expected)


def empty_wal(data: Path) -> None:
    """Make pg_wal of a copy a directory with nothing in it but what a server expects there.

    WAL is staged into it later, checked. What `initdb --waldir` makes comes back as a link to production's directory,
    or not at all, with some tools.
    """
    wal = data / "pg_wal"
    if wal.is_symlink():
        wal.unlink()
    shutil.rmtree(wal, ignore_errors=True)
    for folder in (wal, wal / "archive_status"):
        folder.mkdir(mode=0o700)


def stage(pairs: Iterable[tuple[Path, Path]], finished: Callable[[Path], None]) -> None:
    """Copy files to where recovery finds them, plain.

    Args:
        pairs: Each file, compressed or not, and the path it goes to.
        finished: Called with each path when it is complete; may raise.

    Raises:
        BackupNotRestorable: One is cut short or damaged.
    """

    def one(pair: tuple[Path, Path]) -> None:
        copy_plain(*pair)
        finished(pair[1])

    in_parallel(one, pairs)


def _text(path: Path) -> str:
    with reading(path), open_plain(path) as stream:
        return stream.read().decode(errors="backslashreplace")
