"""Reading the server's log while recovery runs: its stage, how it ended, and why it failed.

The messages are in English, because lc_messages is C for our servers. Their source, since 15:
PostgreSQL's src/backend/access/transam/xlogrecovery.c, and xlogreader.c for damaged WAL. "archive
recovery complete" is in xlog.c, "ready to accept connections" in postmaster.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.system.regular_file import NotRegularError, open_regular

if TYPE_CHECKING:
    from pathlib import Path

STAGES = ("start", "replay", "promote", "ready")
"""The stages of a recovery, in order; each but the last is a phase of the drill."""

_LSN = r"([0-9A-F]+/[0-9A-F]+)"
_REDO_STARTS = re.compile(rf"LOG:  redo starts at {_LSN}|LOG:  redo is not required")
_REDO_DONE = re.compile(rf"LOG:  redo done at {_LSN}")
_PROMOTED = re.compile(r"LOG:  archive recovery complete")
_READY = re.compile(r"LOG:  database system is ready to accept connections")
_PROGRESS = re.compile(rf"LOG:  redo in progress, elapsed time: ([0-9.]+) s, current LSN: {_LSN}")
_STOPPING = re.compile(r"LOG:  (recovery stopping (?:before|after|at) .*)")
_CONSISTENT = re.compile(rf"LOG:  consistent recovery state reached at {_LSN}")
_LAST_COMMIT = re.compile(r"LOG:  last completed transaction was at log time (\S+ \S+)")
_STOP_XID = re.compile(r"(before|after) (?:commit|abort) of (?:prepared )?transaction (\d+)")
_FATAL = re.compile(r"(?:FATAL|PANIC):  (.*)")
_DETAIL = re.compile(r"DETAIL:  (.*)")
_BAD_WAL = re.compile(
    r"LOG:  (incorrect resource manager data checksum in record at .*"
    r"|unexpected pageaddr .*|WAL file is from different database system.*"
    r"|invalid magic number .*|invalid resource manager ID .*|record with incorrect prev-link .*"
    r"|invalid contrecord length .*|there is no contrecord flag at .*|incorrect .* in record at .*)"
)


_FIRST = {
    "redo starts": _REDO_STARTS,
    "redo done": _REDO_DONE,
    "promoted": _PROMOTED,
    "ready": _READY,
    "stopping": _STOPPING,
    "consistent": _CONSISTENT,
    "last commit": _LAST_COMMIT,
    "bad wal": _BAD_WAL,
}
"""Messages of which the first counts."""

_READ_BYTES = 16 * 1024 * 1024
"""Most that one call of `refresh` reads: half a second of work, so that deadlines are kept."""

_LINE_BYTES = 8192
"""Most of a line that is kept: no message that is looked for is longer."""


@dataclass(slots=True)
class ServerLog:
    """The messages of one server start, as far as they matter. It keeps no text.

    Attributes:
        path: The log file, which may not be there yet.
    """

    path: Path
    _offset: int = 0
    _rest: bytes = b""
    _skipping: bool = False
    _first: dict[str, re.Match[str]] = field(default_factory=dict)
    _replayed: re.Match[str] | None = None
    _fatal: str | None = None
    _detail_wanted: bool = False

    def refresh(self) -> bool:
        """Read what was added since the last call; return whether that was all there is.

        Raises:
            HarnessError: The log is no regular file any more.
        """
        try:
            with open_regular(self.path, follow=False) as stream:
                stream.seek(self._offset)
                added = stream.read(_READ_BYTES)
        except FileNotFoundError:
            return True
        except NotRegularError as exc:
            raise HarnessError(
                f"the server's log {exc.strerror}: {self.path.name}",
                hint="something in the backup replaced it; find out who can write the backup.",
            ) from exc
        self._offset += len(added)
        *lines, rest = (self._rest + added).split(b"\n")
        for line in lines:
            if not self._skipping:
                self._note(line[:_LINE_BYTES].decode("utf-8", errors="backslashreplace"))
            self._skipping = False
        if len(rest) > _LINE_BYTES and not self._skipping:
            self._note(rest[:_LINE_BYTES].decode("utf-8", errors="backslashreplace"))
            self._skipping = True
        self._rest = b"" if self._skipping else rest
        return len(added) < _READ_BYTES

    def _note(self, line: str) -> None:
        """Note what one line tells."""
        if self._detail_wanted:
            self._detail_wanted = False
            if detail := _DETAIL.search(line):
                self._fatal = f"{self._fatal} ({detail[1]})"
        if ":  " not in line:
            return
        for name, pattern in _FIRST.items():
            if name not in self._first and (found := pattern.search(line)):
                self._first[name] = found
        self._replayed = _PROGRESS.search(line) or self._replayed
        fatal = _FATAL.search(line) if self._fatal is None else None
        # A login that came too early is FATAL, too.
        if fatal is not None and "the database system is" not in line:
            self._fatal, self._detail_wanted = fatal[1], True

    def _found(self, name: str) -> str | None:
        """Return the first group of the first message called `name`."""
        match = self._first.get(name)
        return None if match is None else match[1]

    def stage(self) -> str:
        """Return the stage the server is in, one of `STAGES`."""
        if "promoted" in self._first or self.says_ready():
            return "ready"
        if "redo done" in self._first:
            return "promote"
        return "replay" if "redo starts" in self._first else "start"

    def says_ready(self) -> bool:
        """Tell whether the log reports that the server accepts connections."""
        return "ready" in self._first

    def replayed(self) -> tuple[float, Lsn] | None:
        """Return the newest progress report: seconds of replay and the position reached."""
        newest = self._replayed
        return None if newest is None else (float(newest[1]), Lsn.parse(newest[2]))

    def stopping(self) -> str | None:
        """Return the server's message where it stopped; None when it ran to the end of WAL."""
        message = self._found("stopping")
        return None if message is None else message.strip()

    def stopped_transaction(self) -> tuple[str, int] | None:
        """Return ``("before" or "after", xid)`` where recovery stopped at a transaction's end."""
        match = _STOP_XID.search(self.stopping() or "")
        return (match[1], int(match[2])) if match else None

    def consistent_at(self) -> Lsn | None:
        """Return where the backup became consistent."""
        position = self._found("consistent")
        return None if position is None else Lsn.parse(position)

    def last_commit(self) -> datetime | None:
        """Return the aware time of the last transaction replayed; log_timezone is UTC."""
        text = self._found("last commit")
        if text is None:
            return None
        return datetime.fromisoformat(text.removesuffix("+00")).replace(tzinfo=UTC)

    def bad_wal(self) -> str | None:
        """Return the message of damaged WAL that ended replay; None when WAL simply ended."""
        message = self._found("bad wal")
        return None if message is None else message.strip()

    def fatal(self) -> str | None:
        """Return the first FATAL or PANIC message with its detail; None when there is none."""
        return self._fatal
