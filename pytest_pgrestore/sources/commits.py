"""Commits and restore points in WAL, listed by pg_waldump: which points recovery can stop at.

Source: PostgreSQL docs, pg_waldump. It ends with an error at the end of a segment; that is its way.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.codecs import codec_of
from pytest_pgrestore.sources.copying import copy_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Tools

_END = re.compile(
    r"tx:\s+(\d+), lsn: ([0-9A-F]+/[0-9A-F]+),.*desc: (COMMIT|ABORT)(?:_PREPARED)?"
    r".*?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC"
)
_NAMED = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+),.*desc: RESTORE_POINT (.*)$")
LOOK_BACK = 8
"""Segments searched for the last commit: an idle database archives many that hold none."""

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Stop:
    """A point recovery can stop at: the end of a transaction, or a restore point."""

    lsn: Lsn
    xid: int | None = None
    when: datetime | None = None
    name: str | None = None
    commit: bool = True

    def __str__(self) -> str:
        """Return it as a reader can use it."""
        if self.name is not None:
            return f"name:{self.name} (lsn:{self.lsn})"
        return f"commit of {self.when.isoformat() if self.when else '?'} (xid:{self.xid}, lsn:{self.lsn})"


def stops_in(segments: Iterable[tuple[str, Path]], tools: Tools) -> list[Stop]:
    """Return the stops in these segments, in order."""
    found: list[Stop] = []
    for name, path in segments:
        with tempfile.TemporaryDirectory(prefix="pgrestore-wal-") as scratch:
            plain = path
            if codec_of(path) != "none" or path.name != name:
                plain = Path(scratch) / name
                copy_plain(path, plain)
            done = tools.run("pg_waldump", "--rmgr=Transaction", "--rmgr=XLOG", str(plain), check=False, as_caller=True)
        found += [stop for line in done.stdout.splitlines() if (stop := _parse(line)) is not None]
    return found


def last_end(segments: Sequence[tuple[str, Path]], tools: Tools) -> Stop | None:
    """Return the last transaction end in the newest few segments; None when they hold none."""
    for segment in reversed(segments[-LOOK_BACK:]):
        ends = [stop for stop in stops_in([segment], tools) if stop.when is not None]
        if ends:
            return ends[-1]
    return None


def nearest(stops: Sequence[Stop], target: RecoveryTarget) -> list[str]:
    """Return the few stops nearest to `target`, in words."""
    commits = [stop for stop in stops if stop.name is None and stop.commit]
    named = [stop for stop in stops if stop.name is not None and stop.name != "switch"]
    match target:
        case AtName():
            chosen = named[-SHOWN:] or commits[-1:]
        case AtTime(when):
            chosen = sorted(commits, key=lambda stop: abs((stop.when or when) - when))[:SHOWN]
        case AtXid(xid):
            chosen = sorted(commits, key=lambda stop: abs((stop.xid or 0) - xid))[:SHOWN]
        case AtLsn(lsn):
            chosen = sorted(commits, key=lambda stop: abs(stop.lsn - lsn))[:SHOWN]
        case _:
            chosen = commits[-1:]
    return [str(stop) for stop in sorted(chosen, key=lambda stop: stop.lsn)]


def position_of(target: RecoveryTarget, stops: Sequence[Stop]) -> Lsn | None:
    """Return where a name or xid target lies; None when it is not among `stops`."""
    for stop in stops:
        if isinstance(target, AtName) and stop.name == target.name:
            return stop.lsn
        if isinstance(target, AtXid) and stop.xid == target.xid and stop.name is None:
            return stop.lsn
    return None


def _parse(line: str) -> Stop | None:
    if match := _END.search(line):
        when = datetime.fromisoformat(match[4]).replace(tzinfo=UTC)
        return Stop(Lsn.parse(match[2]), xid=int(match[1]), when=when, commit=match[3] == "COMMIT")
    if match := _NAMED.search(line):
        return Stop(Lsn.parse(match[1]), name=match[2].strip())
    return None
