"""A backup, as its catalogue describes it. Imports only WAL positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pytest_pgrestore.model.wal import Lsn


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One restorable entry of a source's catalogue. None means that the backup does not record it.

    Attributes:
        label: Name within its source, stable between runs.
        location: File or directory, or the address of a repository that is not on this machine.
        form: Its format, e.g. ``custom``, ``plain``, ``tar.gz``, ``directory``.
        kind: ``full``, ``differential``, ``incremental`` or ``logical``.
        server_major: Major version of the server it was taken from.
        started_at: When the backup began.
        stopped_at: When it ended; the earliest moment recovery can stop at.
        oldest_part: When the oldest part that tells it ended, where other parts do not tell.
        start_lsn: Where replay begins.
        stop_lsn: Where the backup becomes consistent.
        timeline: Timeline it was taken on.
        system_identifier: Of the cluster it was taken from.
        database: The database it holds, where it holds one.
        chain: Labels of the backups this one depends on, the full one first; empty for a full one.
        size_bytes: Stored size, not the size after the restore.
        written_by: Tool and version that took it.
        repository_bytes: Stored size of the whole chain.
    """

    label: str
    location: Path | str
    form: str
    kind: str
    server_major: int | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    oldest_part: datetime | None = None
    start_lsn: Lsn | None = None
    stop_lsn: Lsn | None = None
    timeline: int | None = None
    system_identifier: int | None = None
    database: str | None = None
    chain: tuple[str, ...] = ()
    size_bytes: int | None = None
    written_by: str | None = None
    repository_bytes: int | None = None
