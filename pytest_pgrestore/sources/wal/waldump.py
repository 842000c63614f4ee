"""Running pg_waldump on archived segments: decompressed, of one timeline, a page of text at a time.

pg_waldump always ends with an error at the end of the last file. So its exit status is ignored.
Source: PostgreSQL docs, pg_waldump.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.codecs import codec_of, reading
from pytest_pgrestore.sources.copying import copy_plain
from pytest_pgrestore.sources.wal.backup_label import SEGMENT_SIZES
from pytest_pgrestore.sources.wal.header import read_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.wal.segments import WalFile

PAGE = 20_000
"""Records printed by one pg_waldump: some megabytes of text, however many commits a segment has."""

_POSITION = re.compile(r"rmgr: .{1,200}?, lsn: ([0-9A-F]{1,8}/[0-9A-F]{1,8}),")


def pages(files: Sequence[WalFile], programs: PostgresPrograms, *managers: str) -> Iterator[str]:
    """Yield pg_waldump's lines, some thousands at a time; arguments as of `lines_of`.

    The last line of a page is also the first of the next one.
    """
    start: Lsn | None = None
    while files:
        lines = lines_of(files, programs, *managers, start=start, most=PAGE)
        found = [Lsn.parse(match[1]) for line in lines if (match := _POSITION.match(line))]
        yield from lines
        if len(found) < PAGE or found[-1] <= (start or 0):
            return
        start = found[-1]
        files = _from(start, files)


def _from(start: Lsn, files: Sequence[WalFile]) -> Sequence[WalFile]:
    """Return `files` from the one on that contains `start`; none if the first one is no segment."""
    header = read_header(files[0].head()[1])
    if header is None or header.segment_bytes not in SEGMENT_SIZES:
        return ()
    size = header.segment_bytes
    return [file for file in files if Segment.parse(file.name, size).number >= start // size]


def lines_of(
    files: Sequence[WalFile],
    programs: PostgresPrograms,
    *managers: str,
    start: Lsn | None = None,
    most: int,
) -> list[str]:
    """Return pg_waldump's lines for consecutive segments, which may be of several timelines.

    Args:
        files: The segments, in order.
        programs: PostgreSQL's programs of the major that wrote them.
        managers: Resource managers whose records are returned (``pg_waldump --rmgr=list``).
        start: Position in the first segment; None begins at its first record.
        most: Most records that are printed.
    """
    if not files:
        return []
    with _as_one_timeline(files, programs.scratch) as directory:
        timeline = int(files[-1].name[:8], 16)
        arguments = [f"--rmgr={manager}" for manager in managers]
        arguments += [f"--limit={most}"]
        arguments += [f"--start={start}"] if start is not None else []
        first = str(directory / _renamed(files[0].name, timeline))
        last = str(directory / _renamed(files[-1].name, timeline))
        # As the caller, who may read the archive. pg_waldump runs nothing of what it reads.
        done = programs.run("pg_waldump", *arguments, first, last, check=False, as_caller=True)
    # Not splitlines: the name of a restore point may contain what it takes for the end of a line.
    return done.stdout.split("\n")


@contextmanager
def _as_one_timeline(files: Sequence[WalFile], scratch: Path) -> Iterator[Path]:
    """Yield a directory of the segments, decompressed and renamed to one timeline.

    pg_waldump reads uncompressed segments of one timeline only (option ``--timeline``). The
    directory contains production's data, so it is below `scratch`: the watchdog removes that even
    if this process is killed.
    """
    timeline = int(files[-1].name[:8], 16)
    with tempfile.TemporaryDirectory(prefix="wal-", dir=scratch) as made:
        directory = Path(made)
        for file in files:
            plain = directory / _renamed(file.name, timeline)
            if is_plain(file.path):
                plain.symlink_to(file.path.absolute())
            else:
                _unpack(file, plain)
        yield directory


def _unpack(file: WalFile, into: Path) -> None:
    """Decompress a segment, up to the size that its own header names.

    Raises:
        BackupNotRestorable: It is no segment, or unpacks to more.
    """
    header = read_header(file.head()[1])
    if header is None or header.segment_bytes not in SEGMENT_SIZES:
        raise BackupNotRestorable(
            f"WAL segment {file.path} does not begin like WAL",
            hint="find out what wrote it to the archive; restore the segment from another copy.",
        )
    copy_plain(file.path, into, header.segment_bytes)


def is_plain(path: Path) -> bool:
    """Return whether a segment is not compressed.

    Raises:
        BackupNotRestorable: It is no regular file.
    """
    with reading(path):
        return codec_of(path) == "none"


def _renamed(name: str, timeline: int) -> str:
    return f"{timeline:08X}{name[8:]}"
