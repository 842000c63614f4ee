"""WAL of another database cluster under the name of a server: two clusters share the name.

Barman and barman-cloud archive what they are given, and compare no system identifier: `barman
check` alone does. So the header of a few segments is read: the last one of each timeline, and the
one that was stored last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.target import Immediate, Latest
from pytest_pgrestore.sources.wal.header import read_header

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
    from pytest_pgrestore.sources.wal.stored_wal import StoredWal

_MOST_TIMELINES = 16
"""Timelines of which a segment is read: the newest ones. Each costs a download from a store."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A segment, and which cluster wrote it.

    Attributes:
        name: Name of the segment.
        system_identifier: The cluster.
        stored_at: When it was stored; None if unknown.
        place: Where it is, for messages.
    """

    name: str
    system_identifier: int
    stored_at: datetime | None
    place: str = "the archive"

    @classmethod
    def read(
        cls, name: str, start: bytes, stored_at: datetime | None, place: str = "the archive"
    ) -> Trace | None:
        """Return the trace of a segment with these first bytes; None if they are no header."""
        header = read_header(start)
        return None if header is None else cls(name, header.system_identifier, stored_at, place)

    @property
    def timeline(self) -> int:
        """Its timeline."""
        return int(self.name[:8], 16)


def telling(stored: StoredWal) -> list[str]:
    """Return the names of the segments that are read to learn which clusters archive here."""
    last: dict[str, str] = {}
    for name in sorted(stored.segments):
        last[name[:8]] = name
    names = [last[timeline] for timeline in sorted(last)[-_MOST_TIMELINES:]]
    times = {name: when for name, when in stored.segments.items() if when is not None}
    newest = [max(times, key=lambda name: times[name])] if times else []
    return list(dict.fromkeys((*names, *newest)))


def require_own_cluster(
    graph: HistoryGraph, traces: Iterable[Trace], request: LocateRequest, wanted: str | None
) -> None:
    """Refuse backups of a cluster that production has left, and another cluster's timeline.

    Args:
        graph: The timelines of the archive, and its backups.
        traces: Segments of the archive.
        request: The target and the timeline.
        wanted: Label of the backup that the user names; None names none.

    Raises:
        BackupNotRestorable: The newest WAL is another cluster's than the newest backup, or a
            default restore follows a timeline of another cluster.
    """
    newest = graph.backups[-1]
    own, ended = newest.system_identifier, newest.stopped_at
    foreign = [trace for trace in traces if own is not None and trace.system_identifier != own]
    if wanted is None and ended and isinstance(request.target, Latest | Immediate):
        later = [
            (trace.stored_at, trace) for trace in foreign if (trace.stored_at or ended) > ended
        ]
        if later:
            raise _left(max(later, key=lambda pair: pair[0] or ended)[1], newest)
    if request.timeline == "latest":
        first = newest.timeline or 1
        followed = range(first + 1, graph.newest(first) + 1)
        for trace in foreign:
            if trace.timeline in followed:
                raise _anothers_history(trace, newest)


def _left(trace: Trace, newest: Backup) -> BackupNotRestorable:
    return BackupNotRestorable(
        f"production has no backup: the newest WAL, {trace.name} in {trace.place}, is of system"
        f" identifier {trace.system_identifier}, and the newest backup, {newest.label}, is of"
        f" system identifier {newest.system_identifier}",
        hint="take a backup of the cluster that runs now; if that is not production, give it a"
        " server name of its own. To drill the old cluster, name its backup in `backup`.",
    )


def _anothers_history(trace: Trace, newest: Backup) -> BackupNotRestorable:
    number = trace.timeline
    return BackupNotRestorable(
        f"{number:08X}.history is another cluster's: WAL of timeline {number} is of system"
        f" identifier {trace.system_identifier}, backup {newest.label} is of"
        f" {newest.system_identifier}, and a default restore follows that timeline",
        hint='write timeline = "current" to stay on the backup\'s own; give each cluster a server'
        " name of its own, and move the other's .history and WAL away.",
    )
