"""Commits and restore points in WAL, read with pg_waldump: the points where recovery can stop.

pg_waldump always ends with an error at the end of the last file. So its exit status is ignored.
Source: PostgreSQL docs, pg_waldump; src/backend/access/rmgrdesc, xactdesc.c and xlogdesc.c for the
format of its lines.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.wal.segments import WalFile

_END = re.compile(
    r"tx:\s+(\d+), lsn: ([0-9A-F]+/[0-9A-F]+),.*?desc: (COMMIT|ABORT)(?:_PREPARED (\d+):)?"
    r" (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC"
)
_NAMED = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+),.*?desc: RESTORE_POINT (.*)$")
_BORN = re.compile(
    r"lsn: ([0-9A-F]+/[0-9A-F]+),.*?desc: END_OF_RECOVERY .*"
    r"time (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC"
)

LOOK_BACK = 8
"""Segments searched for the last commit. An idle database archives segments without a commit."""

WINDOW = 8
"""Segments read by one pg_waldump. Compressed ones need disk space while it runs."""

SHOWN = 3
"""Stops named in a message."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A point where recovery can stop: the end of a transaction, or a restore point.

    Attributes:
        lsn: Where the WAL record begins.
        xid: The transaction that ended; None for a restore point.
        when: When the transaction ended; None for a restore point.
        name: Name of the restore point; None for a transaction.
        commit: True if the transaction committed, False if it aborted.
    """

    lsn: Lsn
    xid: int | None = None
    when: datetime | None = None
    name: str | None = None
    commit: bool = True

    def __str__(self) -> str:
        """Return the stop, spelled as a target that a user can copy."""
        if self.name is not None:
            return f"name:{self.name} (lsn:{self.lsn})"
        when = self.when.isoformat() if self.when else "?"
        return f"commit of {when} (xid:{self.xid}, lsn:{self.lsn})"


def stops_in(
    files: Sequence[WalFile], programs: PostgresPrograms, *, named: bool = False
) -> list[Stop]:
    """Return the ends of transactions in consecutive segments, in order.

    Args:
        files: The segments, in order.
        programs: PostgreSQL's programs of the major that wrote them.
        named: Whether restore points are returned, too.
    """
    found: dict[Lsn, Stop] = {}
    for begin in range(0, len(files), WINDOW):
        # One segment more: a record may begin in one segment and end in the next.
        for line in _dump(files[begin : begin + WINDOW + 1], programs, named=named):
            stop = _parse(line)
            if stop is not None:
                found[stop.lsn] = stop
    return [found[lsn] for lsn in sorted(found)]


def last_end(files: Sequence[WalFile], programs: PostgresPrograms) -> Stop | None:
    """Return the last end of a transaction in the newest `LOOK_BACK` segments; None without one."""
    for place in range(len(files) - 1, max(-1, len(files) - 1 - LOOK_BACK), -1):
        ends = stops_in(files[place : place + 2], programs)
        if ends:
            return ends[-1]
    return None


def first_moment(
    files: Sequence[WalFile], after: Lsn, programs: PostgresPrograms
) -> datetime | None:
    """Return the time of the first commit or promotion at or after `after`; None without one."""
    for line in _dump(files[:LOOK_BACK], programs, named=True):
        born, stop = _BORN.search(line), _parse(line)
        if born is not None and Lsn.parse(born[1]) >= after:
            return _moment(born[2])
        if stop is not None and stop.when is not None and stop.lsn >= after:
            return stop.when
    return None


def nearest(stops: Sequence[Stop], target: RecoveryTarget) -> list[str]:
    """Return the `SHOWN` stops nearest to `target`, in words."""
    ends = [stop for stop in stops if stop.name is None and stop.commit]
    names = [stop for stop in stops if stop.name is not None]
    match target:
        case AtName():
            chosen = names[-SHOWN:] or ends[-1:]
        case AtTime(when):
            chosen = sorted(ends, key=lambda stop: abs((stop.when or when) - when))[:SHOWN]
        case AtXid(xid):
            chosen = sorted(ends, key=lambda stop: abs((stop.xid or 0) - xid))[:SHOWN]
        case AtLsn(lsn):
            chosen = sorted(ends, key=lambda stop: abs(stop.lsn - lsn))[:SHOWN]
        case _:
            chosen = ends[-1:]
    return [str(stop) for stop in sorted(chosen, key=lambda stop: stop.lsn)]


def find(target: RecoveryTarget, stops: Sequence[Stop]) -> Stop | None:
    """Return the stop that a name or xid target stands for; None if `stops` do not contain it."""
    for stop in stops:
        if isinstance(target, AtName) and stop.name == target.name:
            return stop
        if isinstance(target, AtXid) and stop.xid == target.xid:
            return stop
    return None


def _dump(files: Sequence[WalFile], programs: PostgresPrograms, *, named: bool) -> list[str]:
    return lines_of(files, programs, "Transaction", *(("XLOG",) if named else ()))


def lines_of(
    files: Sequence[WalFile], programs: PostgresPrograms, *managers: str, start: Lsn | None = None
) -> list[str]:
    """Return pg_waldump's lines for consecutive segments, which may be of several timelines.

    Args:
        files: The segments, in order.
        programs: PostgreSQL's programs of the major that wrote them.
        managers: Resource managers whose records are returned (``pg_waldump --rmgr=list``).
        start: Position in the first segment; None begins at its first record.
    """
    if not files:
        return []
    with _as_one_timeline(files, programs.scratch) as directory:
        timeline = int(files[-1].name[:8], 16)
        arguments = [f"--rmgr={manager}" for manager in managers]
        arguments += [f"--start={start}"] if start is not None else []
        first = str(directory / _renamed(files[0].name, timeline))
        last = str(directory / _renamed(files[-1].name, timeline))
        # As the caller, who may read the archive. pg_waldump runs nothing of what it reads.
        done = programs.run("pg_waldump", *arguments, first, last, check=False, as_caller=True)
    return done.stdout.splitlines()


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
            if codec_of(file.path) == "none":
                plain.symlink_to(file.path.absolute())
            else:
                _unpack(file.path, plain)
        yield directory


def _unpack(path: Path, into: Path) -> None:
    with into.open("wb") as plain, reading(path), open_plain(path) as stream:
        shutil.copyfileobj(stream, plain, CHUNK_BYTES)


def _renamed(name: str, timeline: int) -> str:
    return f"{timeline:08X}{name[8:]}"


def _parse(line: str) -> Stop | None:
    if match := _END.search(line):
        xid = int(match[4] or match[1])
        return Stop(
            Lsn.parse(match[2]), xid=xid, when=_moment(match[5]), commit=match[3] == "COMMIT"
        )
    if match := _NAMED.search(line):
        return Stop(Lsn.parse(match[1]), name=match[2].strip())
    return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
