"""WAL of another database cluster in a repository whose tool compares no system identifier.

Production was made anew (initdb, pg_upgrade, a restore of a dump) and archives under the old place.
A default restore brings back the old cluster then, without a word. The names of WAL begin again in
a new cluster, so such segments lie before the newest backup, and were written after it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.target import Immediate, Latest
from pytest_pgrestore.model.wal import Segment
from pytest_pgrestore.sources.restored_files import is_file
from pytest_pgrestore.sources.wal import commits
from pytest_pgrestore.sources.wal.header import control_identifier, read_header
from pytest_pgrestore.sources.wal.segments import WalFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.wal.header import WalHeader
    from pytest_pgrestore.sources.wal.stored_wal import Bring, WalPlan

_FOLDER = "newer-cluster"
"""Directory below ``sandbox.wal`` for WAL that is read and never replayed."""

_READ = 2
"""Segments that are fetched: a transaction may begin in one and end in the next."""


def require_no_newer_cluster(
    wanted: WalPlan, backup: Backup, fetch: Bring, sandbox: Sandbox
) -> None:
    """Refuse the newest backup if WAL of another cluster was written after it.

    Call it when the files are restored: they name the cluster of the backup.

    Args:
        wanted: The WAL of the restore.
        backup: The backup, which is the newest of all.
        fetch: Fetches segments.
        sandbox: Has the restored files.

    Raises:
        BackupNotRestorable: Production is another cluster, and has no backup here.
    """
    own, ended = control_identifier(sandbox.data), backup.stopped_at
    _require_own_timelines(wanted, backup, own, sandbox)
    names = _before_the_backup(wanted, ended)
    if not isinstance(wanted.target, Latest | Immediate) or own is None or not ended or not names:
        return
    folder = sandbox.wal / _FOLDER
    folder.mkdir()
    fetch(names, folder)
    files = [WalFile(name, folder / name) for name in sorted(names) if is_file(folder / name)]
    for file in files:
        header = _header(file.path)
        if header is not None and header.system_identifier != own:
            last = max(_initdb_at(header), _last_commit(files, sandbox) or ended)
            if last > ended:
                raise _no_backup(file.name, header, backup, own)


def _before_the_backup(wanted: WalPlan, ended: datetime | None) -> list[str]:
    """Return the newest segments that lie before the backup, and may have been stored after it."""
    stored, size = wanted.stored.segments, wanted.segment_bytes
    first = wanted.start // size
    names = [
        name
        for name, when in stored.items()
        if Segment.parse(name, size).number < first
        and (when is None or ended is None or when > ended)
    ]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(names, key=lambda name: (stored[name] or oldest, name))[-_READ:]


def _require_own_timelines(
    wanted: WalPlan, backup: Backup, own: int | None, sandbox: Sandbox
) -> None:
    """Refuse to follow a timeline whose WAL is of another cluster.

    Raises:
        BackupNotRestorable: A default restore follows it.
    """
    for timeline, _ in wanted.path.steps[1:]:
        begin = f"{timeline:08X}"
        name = next((file.name for file in wanted.found.files if file.name[:8] == begin), None)
        header = None if name is None else _header(sandbox.wal / name)
        if header is not None and own not in {None, header.system_identifier}:
            raise BackupNotRestorable(
                f"{begin}.history is another cluster's: WAL of timeline {timeline} is of system"
                f" identifier {header.system_identifier}, backup {backup.label} is of system"
                f" identifier {own}, and a default restore follows that timeline",
                hint='write timeline = "current" to stay on the backup\'s own; give each cluster a'
                " place of its own, and move the other's .history and WAL away.",
            )


def _header(path: Path) -> WalHeader | None:
    if not is_file(path):
        return None
    return read_header(WalFile(path.name, path).head()[1])


def _initdb_at(header: WalHeader) -> datetime:
    """Return when a cluster was made: its identifier begins with the seconds since 1970.

    Source: src/backend/access/transam/xlog.c, BootStrapXLOG.
    """
    return datetime.fromtimestamp(header.system_identifier >> 32, UTC)


def _last_commit(files: Sequence[WalFile], sandbox: Sandbox) -> datetime | None:
    try:
        last = commits.last_end(files, sandbox.programs)
    except BackupNotRestorable:
        return None
    return None if last is None else last.when


def _no_backup(name: str, header: WalHeader, backup: Backup, own: int) -> BackupNotRestorable:
    return BackupNotRestorable(
        f"production has no backup: WAL segment {name}, of system identifier"
        f" {header.system_identifier}, was written after the newest backup, {backup.label}, which"
        f" is of system identifier {own}",
        hint="take a backup of the cluster that runs now, and give it a place of its own. To drill"
        " the old cluster, name its backup in `backup`.",
    )
