"""WAL of another database cluster in a repository whose tool compares no system identifier.

Production was made anew (initdb, pg_upgrade, a restore of a dump) and archives under the old place.
A default restore brings back the old cluster then, without a word: the names of WAL begin again in
a new cluster, so its segments lie before the newest backup, where recovery reads none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.target import Immediate, Latest
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.restored_files import is_file
from pytest_pgrestore.sources.wal import commits
from pytest_pgrestore.sources.wal.header import control_identifier, read_header
from pytest_pgrestore.sources.wal.other_cluster import anothers_history, made_at, moved
from pytest_pgrestore.sources.wal.segments import WalFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.wal.header import WalHeader
    from pytest_pgrestore.sources.wal.stored_wal import Bring, WalPlan

_FOLDER = "newer-cluster"
"""Directory below ``sandbox.wal`` for WAL that is read and never replayed."""

_READ = 2
"""Segments that are fetched of each kind. Each is a download."""


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
    if not isinstance(wanted.target, Latest | Immediate) or own is None or ended is None:
        return
    names = _telling(wanted, ended)
    if not names:
        return
    folder = sandbox.wal / _FOLDER
    folder.mkdir()
    fetch(names, folder)
    files = [WalFile(name, folder / name) for name in sorted(names) if is_file(folder / name)]
    for file in files:
        header = _header(file.path)
        if header is None or header.system_identifier == own:
            continue
        placed = replace(backup, system_identifier=own)
        last = _last_activity([file], sandbox)
        upgraded = (header.major or 0) > sandbox.programs.major
        if upgraded or max(made_at(header.system_identifier), last or ended) > ended:
            raise moved(placed, header.system_identifier, last)


def _telling(wanted: WalPlan, ended: datetime) -> list[str]:
    """Return a few segments that recovery does not read, and that may be newer than the backup.

    Without times of the list, those are the ends of runs without a hole.
    """
    used = {file.name for file in wanted.found.files}
    stored = {name: when for name, when in wanted.stored.segments.items() if name not in used}
    times = {name: when for name, when in stored.items() if when is not None and when > ended}
    newest = sorted(times, key=lambda name: (times[name], name))[-_READ:]
    size = wanted.segment_bytes
    unknown = {Segment.parse(name, size) for name, when in stored.items() if when is None}
    ends = sorted(
        segment.file_name(size)
        for segment in unknown
        if Segment(segment.timeline, segment.number + 1) not in unknown
    )
    return list(dict.fromkeys([*newest, *ends[:_READ], *ends[-_READ:]]))


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
            raise anothers_history(
                timeline, header.system_identifier, replace(backup, system_identifier=own)
            )


def _header(path: Path) -> WalHeader | None:
    if not is_file(path):
        return None
    return read_header(WalFile(path.name, path).head()[1])


def _last_activity(files: Sequence[WalFile], sandbox: Sandbox) -> datetime | None:
    """Return the time of the last commit; without one, of the last checkpoint while it ran."""
    try:
        last = commits.last_end(files, sandbox.programs)
        if last is None:
            return commits.last_checkpoint(files, Lsn(0), sandbox.programs)
    except BackupNotRestorable:
        return None
    return last.when
