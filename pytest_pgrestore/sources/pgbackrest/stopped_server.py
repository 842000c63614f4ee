"""A backup of a stopped server (``--no-online``): its position is in pg_control alone.

The catalogue has neither a position nor a segment of it. So its WAL is planned when its files are
restored. Like every data directory of a stopped server it needs one segment, that with the last
checkpoint, and the backup has it: pgBackRest copies pg_wal then (configuration reference,
"online").
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, TargetUnreachable
from pytest_pgrestore.model.target import AtLsn
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.wal import stored_wal
from pytest_pgrestore.sources.wal.backup_label import SEGMENT_SIZES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.pgbackrest.wal import Archive
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.stored_wal import WalPlan

_MOST = 10_000
"""Segments that a stopped standby may need: 160 GB of WAL in segments of 16 MiB."""

_STOPPED = ("shut down", "shut down in recovery")
_LINE = re.compile(
    r"^(Database cluster state|Latest checkpoint[^:]*|Minimum recovery ending location"
    r"|Bytes per WAL segment): +(.+)$"
)


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a server was stopped.

    Attributes:
        redo: Where replay begins.
        end: Where the files are consistent: at the last checkpoint; of a standby, later.
        timeline: Timeline of the last checkpoint.
        segment_bytes: Size of a WAL segment.
    """

    redo: Lsn
    end: Lsn
    timeline: int
    segment_bytes: int


def plan_of(
    request: LocateRequest,
    backup: Backup,
    archive: Archive,
    others: Sequence[Backup],
    sandbox: Sandbox,
) -> tuple[WalPlan, Archive]:
    """Return the WAL plan of a restored backup, and the archive with what the backup keeps.

    Args:
        request: The drill's request.
        backup: The backup whose files are in the sandbox.
        archive: The archived WAL of its cluster.
        others: The backups of its cluster.
        sandbox: Where it was restored to.

    Raises:
        BackupNotRestorable: The server was not stopped, or WAL is missing.
        TargetUnreachable: The target lies before the backup, or outside of the WAL.
    """
    position = _position(backup.label, sandbox)
    size = position.segment_bytes
    placed = replace(
        backup,
        start_lsn=position.redo,
        stop_lsn=position.end,
        timeline=position.timeline,
    )
    if isinstance(request.target, AtLsn) and request.target.lsn < position.end:
        raise TargetUnreachable(
            f"{request.target} lies before the end of backup {backup.label} of a stopped server, at"
            f" {position.end}",
            hint="choose a later position, or name an older backup in `backup`.",
        )
    needed = range(
        position.redo // size, min(position.end // size, position.redo // size + _MOST) + 1
    )
    names = {Segment(position.timeline, number).file_name(size) for number in needed}
    kept = names - archive.wal.segments.keys()
    stored = replace(archive.wal, segments={**archive.wal.segments, **dict.fromkeys(kept)})
    start_file = Segment.holding(position.redo, position.timeline, size).file_name(size)
    graph = stored_wal.graph_of(stored, [*others, placed], start_file)
    plan = stored_wal.plan(request, placed, start_file, stored, graph)
    return plan, replace(archive, wal=stored, kept=frozenset(kept))


def _position(label: str, sandbox: Sandbox) -> _Position:
    """Return where the server of the restored backup was stopped.

    Raises:
        BackupNotRestorable: It was running, or pg_control cannot be read.
    """
    # As the caller: the files are not the server's user's yet. It runs nothing of what it reads.
    done = sandbox.programs.run(
        "pg_controldata", "-D", str(sandbox.data), check=False, as_caller=True
    )
    facts = {
        match[1]: match[2] for line in done.stdout.splitlines() if (match := _LINE.match(line))
    }
    state = facts.get("Database cluster state", "unreadable")
    if done.status != 0 or state not in _STOPPED:
        raise BackupNotRestorable(
            f"backup {label} was taken with --no-online, and pg_control says that the server was"
            f" not stopped: {state}",
            hint="stop the server before such a backup, or take it online.",
        )
    try:
        position = _Position(
            redo=Lsn.parse(facts["Latest checkpoint's REDO location"]),
            end=max(
                Lsn.parse(facts["Latest checkpoint location"]),
                Lsn.parse(facts["Minimum recovery ending location"]),
            ),
            timeline=int(facts["Latest checkpoint's TimeLineID"]),
            segment_bytes=int(facts["Bytes per WAL segment"]),
        )
    except (ConfigError, KeyError, ValueError):
        position = None
    if position is None or position.segment_bytes not in SEGMENT_SIZES:
        raise BackupNotRestorable(
            f"pg_control of backup {label} is damaged: it does not say where the server stopped",
            hint="restore the file from another copy of the repository, or take a new backup.",
        )
    return position
