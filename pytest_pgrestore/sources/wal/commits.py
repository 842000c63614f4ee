"""Commits and restore points in WAL, read with pg_waldump: the points where recovery can stop.

Source: src/backend/access/rmgrdesc, xactdesc.c and xlogdesc.c for the format of its lines.
"""

from __future__ import annotations

import heapq
import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.wal import waldump
from pytest_pgrestore.sources.wal.birth import born_by, ran_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.wal.segments import WalFile

_LSN = r"lsn: ([0-9A-F]{1,8}/[0-9A-F]{1,8}),"
_TIME = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC"
_END = re.compile(
    rf"tx: +(\d{{1,10}}), {_LSN}.*?desc: (COMMIT|ABORT)(?:_PREPARED (\d{{1,10}}):)? {_TIME}"
)
_NAMED = re.compile(rf"{_LSN}.*?desc: RESTORE_POINT (.*)$")
_BORN = re.compile(rf"{_LSN}.*?desc: END_OF_RECOVERY .*time {_TIME}")

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
) -> Iterator[Stop]:
    """Yield the ends of transactions in consecutive segments, in order.

    There may be 400,000 in a segment, so none of them is kept.

    Args:
        files: The segments, in order.
        programs: PostgreSQL's programs of the major that wrote them.
        named: Whether restore points are returned, too.
    """
    last = -1
    for begin in range(0, len(files), WINDOW):
        # One segment more: a record may begin in one segment and end in the next.
        for line in _dump(files[begin : begin + WINDOW + 1], programs, named=named):
            stop = _parse(line)
            if stop is not None and stop.lsn > last:
                last = stop.lsn
                yield stop


def last_end(files: Sequence[WalFile], programs: PostgresPrograms) -> Stop | None:
    """Return the last end of a transaction in the newest `LOOK_BACK` segments; None without one."""
    for place in range(len(files) - 1, max(-1, len(files) - 1 - LOOK_BACK), -1):
        ends = deque(stops_in(files[place : place + 2], programs), maxlen=1)
        if ends:
            return ends[0]
    return None


def last_checkpoint(
    files: Sequence[WalFile], after: Lsn, programs: PostgresPrograms
) -> datetime | None:
    """Return the time of the last checkpoint of a running server at or after `after`, or None."""
    for place in range(len(files) - 1, max(-1, len(files) - 1 - LOOK_BACK), -1):
        two = files[place : place + 2]
        moments = (ran_by(line, two, after) for line in waldump.pages(two, programs, "XLOG"))
        if found := deque(filter(None, moments), maxlen=1):
            return found[0]
    return None


def first_moment(
    files: Sequence[WalFile], after: Lsn, programs: PostgresPrograms
) -> datetime | None:
    """Return the time of the first commit or promotion at or after `after`; None without one.

    The end of a recovery without a promotion has whole seconds. Then a first commit within that
    second is the better answer.
    """
    latest: datetime | None = None
    for line in _dump(files[:LOOK_BACK], programs, named=True):
        born, stop = _BORN.search(line), _parse(line)
        if born is not None and Lsn.parse(born[1]) >= after:
            return _moment(born[2])
        latest = latest or born_by(line, files, after)
        if stop is not None and stop.when is not None and stop.lsn >= after:
            return min(stop.when, latest or stop.when)
    return latest


def nearest(stops: Iterable[Stop], target: RecoveryTarget) -> list[str]:
    """Return the `SHOWN` stops nearest to `target`, in words."""
    ends = (stop for stop in stops if stop.name is None and stop.commit)
    match target:
        case AtName():
            chosen = _last_named(stops)
        case AtTime(when):
            chosen = heapq.nsmallest(SHOWN, ends, lambda stop: abs((stop.when or when) - when))
        case AtXid(xid):
            chosen = heapq.nsmallest(SHOWN, ends, lambda stop: abs((stop.xid or 0) - xid))
        case AtLsn(lsn):
            chosen = heapq.nsmallest(SHOWN, ends, lambda stop: abs(stop.lsn - lsn))
        case _:
            chosen = list(deque(ends, maxlen=1))
    return [str(stop) for stop in sorted(chosen, key=lambda stop: stop.lsn)]


def _last_named(stops: Iterable[Stop]) -> list[Stop]:
    """Return the last `SHOWN` restore points; without any, the last commit."""
    names: deque[Stop] = deque(maxlen=SHOWN)
    last: deque[Stop] = deque(maxlen=1)
    for stop in stops:
        if stop.name is not None:
            names.append(stop)
        elif stop.commit:
            last.append(stop)
    return list(names or last)


def find(target: RecoveryTarget, stops: Iterable[Stop]) -> Stop | None:
    """Return the stop that a name or xid target stands for; None if `stops` do not contain it."""
    for stop in stops:
        if isinstance(target, AtName) and stop.name == target.name:
            return stop
        if isinstance(target, AtXid) and stop.xid == target.xid:
            return stop
    return None


def _dump(files: Sequence[WalFile], programs: PostgresPrograms, *, named: bool) -> Iterator[str]:
    return waldump.pages(files, programs, "Transaction", *(("XLOG",) if named else ()))


def _parse(line: str) -> Stop | None:
    if match := _END.search(line):
        xid = int(match[4] or match[1])
        return Stop(
            Lsn.parse(match[2]), xid=xid, when=_moment(match[5]), commit=match[3] == "COMMIT"
        )
    if match := _NAMED.search(line):
        return Stop(Lsn.parse(match[1]), name=match[2].strip())
    return None


def _moment(text: str) -> datetime | None:
    """Return a time; None for a day that does not exist.

    The name of a restore point may look like a line of its own.
    """
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
