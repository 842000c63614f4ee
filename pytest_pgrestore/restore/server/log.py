"""Reading the server's log while recovery runs: where it is, how it ended, and why it failed.

Messages are English because lc_messages is C for our servers. Source: src/backend/access/transam/xlogrecovery.c.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.wal import Lsn

if TYPE_CHECKING:
    from pathlib import Path

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
    """The messages of one server start, read again whenever asked; `text` is what was seen last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = ""
        self._offset = 0

    def refresh(self) -> str:
        """Read what was added since the last call, and return the whole."""
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
        """Return the phase the server is in, by what it has said: start, replay, promote or ready."""
        if _PROMOTED.search(self.text) or self.says_ready():
            return "ready"
        if _REDO_DONE.search(self.text):
            return "promote"
        return "replay" if _REDO_STARTS.search(self.text) else "start"

    def says_ready(self) -> bool:
        """Tell whether the server claims to accept connections; whether it does is asked by SQL."""
        return _READY.search(self.text) is not None

    def replayed(self) -> tuple[float, Lsn] | None:
        """Return the newest progress report: seconds and position."""
        reports = _PROGRESS.findall(self.text)
        return (float(reports[-1][0]), Lsn.parse(reports[-1][1])) if reports else None

    def stopping(self) -> str | None:
        """Return why recovery stopped, in the server's words; None when it ran to the end of WAL."""
        match = _STOPPING.search(self.text)
        return match[1].strip() if match else None

    def stopped_transaction(self) -> tuple[str, int] | None:
        """Return ``("before" or "after", xid)`` where recovery stopped at the end of a transaction."""
        match = _STOP_XID.search(self.stopping() or "")
        return (match[1], int(match[2])) if match else None

    def consistent_at(self) -> Lsn | None:
        """Return where the backup became consistent."""
        match = _CONSISTENT.search(self.text)
        return Lsn.parse(match[1]) if match else None

    def last_commit(self) -> datetime | None:
        """Return the time of the last transaction replayed, aware; the server logs in UTC."""
        match = _LAST_COMMIT.search(self.text)
        if match is None:
            return None
        return datetime.fromisoformat(match[1].removesuffix("+00")).replace(tzinfo=UTC)

    def bad_wal(self) -> str | None:
        """Return the complaint that ended replay inside a record; None when WAL simply ended."""
        match = _BAD_WAL.search(self.text)
        return match[1].strip() if match else None

    def fatal(self) -> str | None:
        """Return the first FATAL or PANIC with its detail; None when there is none.

        Refused logins are FATAL too; they are not ours to report.
        """
        lines = self.text.splitlines()
        for number, line in enumerate(lines):
            match = _FATAL.search(line)
            if match is None or "the database system is" in line:
                continue
            detail = _DETAIL.search(lines[number + 1]) if number + 1 < len(lines) else None
            return match[1] + (f" ({detail[1]})" if detail else "")
        return None
