"""WAL of another database cluster under the name of a server: two clusters share the name.

Barman and barman-cloud archive what they are given, and compare no system identifier: `barman
check` alone does. So the header of a few segments is read: the last one of each timeline, and the
one that was stored last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.target import Immediate, Latest
from pytest_pgrestore.model.wal import Segment
from pytest_pgrestore.sources.wal.header import read_header
from pytest_pgrestore.sources.wal.other_cluster import anothers_history, made_at, moved

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
        HarnessError: WAL of an older cluster lies where that of the backup goes on.
    """
    newest = graph.backups[-1]
    own, found = newest.system_identifier, list(traces)
    foreign = [trace for trace in found if own is not None and trace.system_identifier != own]
    if wanted is None and isinstance(request.target, Latest | Immediate):
        written = [trace.stored_at for trace in found if trace.system_identifier == own]
        ended = max(filter(None, (newest.stopped_at, *written)), default=None)
        for trace in foreign:
            if ended is not None and _is_later(trace, newest, ended):
                raise moved(newest, trace.system_identifier, trace.stored_at)
    if isinstance(request.target, Latest):
        _require_unmixed(graph, foreign, newest)
    if request.timeline == "latest":
        first = newest.timeline or 1
        followed = range(first + 1, graph.newest(first) + 1)
        for trace in foreign:
            if trace.timeline in followed:
                raise anothers_history(trace.timeline, trace.system_identifier, newest)


def _is_later(trace: Trace, newest: Backup, ended: datetime) -> bool:
    """Return whether WAL of another cluster is newer than the newest backup, and than its WAL.

    Either the cluster itself was made later, or the segment was stored later.
    """
    made = made_at(trace.system_identifier)
    if newest.stopped_at is not None and made > newest.stopped_at:
        return True
    return trace.stored_at is not None and trace.stored_at > ended


def _require_unmixed(graph: HistoryGraph, foreign: Iterable[Trace], newest: Backup) -> None:
    """Refuse to look for holes in WAL among which is that of a cluster that was there before.

    Raises:
        HarnessError: Such WAL has names that lie after the newest backup.
    """
    size = graph.segment_bytes
    for trace in foreign:
        number = Segment.parse(trace.name, size).number
        if trace.timeline == newest.timeline and number > (newest.start_lsn or 0) // size:
            raise HarnessError(
                f"WAL of two clusters is mixed here: {trace.name} is of system identifier"
                f" {trace.system_identifier}, backup {newest.label} of {newest.system_identifier};"
                " whether a segment between them is missing cannot be told",
                hint="move WAL of the older cluster away, and give each cluster a server name of"
                " its own; a target that names a moment does not need the end of WAL.",
            )
