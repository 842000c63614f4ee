"""Reading the server's log while recovery runs: its stage, how it ended, and why it failed.

The messages are in English, because lc_messages is C for our servers. Their source, since 15:
PostgreSQL's src/backend/access/transam/xlogrecovery.c, and xlogreader.c for damaged WAL. "archive
recovery complete" is in xlog.c, "ready to accept connections" in postmaster.c.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.wal import Lsn

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


class ServerLog:
    """The messages of one server start.

    Attributes:
        path: The log file, which may not be there yet.
        text: Its content at the last `refresh`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = ""
        self._offset = 0

    def refresh(self) -> str:
        """Read what was added since the last call, and return the whole text."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                added = stream.read()
        except FileNotFoundError:
            return self.text
        self._offset += len(added)
        self.text += added.decode("utf-8", errors="backslashreplace")
        return self.text

    def stage(self) -> str:
        """Return the stage the server is in, one of `STAGES`."""
        if _PROMOTED.search(self.text) or self.says_ready():
            return "ready"
        if _REDO_DONE.search(self.text):
            return "promote"
        return "replay" if _REDO_STARTS.search(self.text) else "start"

    def says_ready(self) -> bool:
        """Tell whether the log reports that the server accepts connections."""
        return _READY.search(self.text) is not None

    def replayed(self) -> tuple[float, Lsn] | None:
        """Return the newest progress report: seconds of replay and the position reached."""
        reports = _PROGRESS.findall(self.text)
        return (float(reports[-1][0]), Lsn.parse(reports[-1][1])) if reports else None

    def stopping(self) -> str | None:
        """Return the server's message where it stopped; None when it ran to the end of WAL."""
        match = _STOPPING.search(self.text)
        return match[1].strip() if match else None

    def stopped_transaction(self) -> tuple[str, int] | None:
        """Return ``("before" or "after", xid)`` where recovery stopped at a transaction's end."""
        match = _STOP_XID.search(self.stopping() or "")
        return (match[1], int(match[2])) if match else None

    def consistent_at(self) -> Lsn | None:
        """Return where the backup became consistent."""
        match = _CONSISTENT.search(self.text)
        return Lsn.parse(match[1]) if match else None

    def last_commit(self) -> datetime | None:
        """Return the aware time of the last transaction replayed; log_timezone is UTC."""
        match = _LAST_COMMIT.search(self.text)
        if match is None:
            return None
        return datetime.fromisoformat(match[1].removesuffix("+00")).replace(tzinfo=UTC)

    def bad_wal(self) -> str | None:
        """Return the message of damaged WAL that ended replay; None when WAL simply ended."""
        match = _BAD_WAL.search(self.text)
        return match[1].strip() if match else None

    def fatal(self) -> str | None:
        """Return the first FATAL or PANIC message with its detail; None when there is none.

        A login refused with "the database system is ..." is FATAL too, and left out.
        """
        lines = self.text.splitlines()
        for number, line in enumerate(lines):
            match = _FATAL.search(line)
            if match is None or "the database system is" in line:
                continue
            detail = _DETAIL.search(lines[number + 1]) if number + 1 < len(lines) else None
            return match[1] + (f" ({detail[1]})" if detail else "")
        return None
