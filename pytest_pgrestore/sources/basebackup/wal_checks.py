"""Checks of a base backup's WAL before the restore: the archive is production's, and is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, TargetUnreachable
from pytest_pgrestore.model.target import Immediate, Latest
from pytest_pgrestore.model.wal import Segment
from pytest_pgrestore.sources.wal import history_verdict, other_cluster, preflight
from pytest_pgrestore.sources.wal.activity import ActivityInWal
from pytest_pgrestore.sources.wal.production_timeline import require_one_production

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sources.basebackup.wal_needed import Wal
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.segments import Supply, WalFiles


def require_no_other(
    request: LocateRequest, wal: Wal, backup: Backup, files: WalFiles
) -> list[str]:
    """Refuse an archive in which another cluster was written to last; return notes on older ones.

    Whoever names a timeline or a point of the past means the old cluster.

    Raises:
        BackupNotRestorable: See `other_cluster.require_no_other`.
    """
    if not isinstance(request.target, Latest | Immediate) or request.timeline != "latest":
        return []
    expected = wal.expected
    known = replace(backup, system_identifier=expected.system_identifier)
    programs = request.find_programs(wal.major)
    return other_cluster.require_no_other(
        known, files.segments, wal.found, expected.segment_bytes, programs
    )


def require_known_forms(archive: Path, request: LocateRequest, wal: Wal, files: WalFiles) -> None:
    """Refuse a target that may lie in segments of a form that is not read here, as ``.gpg``.

    Raises:
        HarnessError: The run of segments ends, and the archive has later ones of such a form.
    """
    size = wal.expected.segment_bytes
    later = sorted(
        name
        for name in files.unread
        if int(name[:8], 16) >= wal.path.steps[0][0]
        and Segment.parse(name[:24], size).number >= wal.end // size
        and name[:24] not in files.segments
    )
    if not later or _enough(request, wal, files):
        return
    suffixes = sorted({name[24:] for name in later})
    raise HarnessError(
        f"{len(later)} of the WAL files in {archive} cannot be read, from {later[0]} on:"
        f" {', '.join(suffixes[:3])} is an encrypted or unknown form",
        hint="decrypt or unpack the WAL into another directory and name that in `wal`, or use a"
        ' source of type = "command", whose wal_fetch does it.',
    )


def _enough(request: LocateRequest, wal: Wal, files: WalFiles) -> bool:
    """Return whether the WAL that can be read reaches the target."""
    if isinstance(request.target, Latest):
        return False
    if not isinstance(request.target, Immediate) and not any_from(files, wal.found):
        return False
    programs = request.find_programs(wal.major)
    try:
        preflight.require_reachable(
            preflight.Question(request.target, wal.stop, wal.found, request.now, programs)
        )
    except (BackupNotRestorable, TargetUnreachable):
        return False
    return True


def require_some_from(archive: Path, request: LocateRequest, wal: Wal, files: WalFiles) -> None:
    """Refuse an archive without any segment for this backup.

    The WAL inside the backup would be enough to restore it, and would hide the bad archive. That is
    no matter where the backup's own end is the target.

    Raises:
        BackupNotRestorable: The archive has none of the needed segments.
    """
    found = wal.found
    if found.broken or isinstance(request.target, Immediate) or any_from(files, found):
        return
    first = found.files[0].name if found.files else "its first one"
    raise BackupNotRestorable(
        f"the WAL archive {archive} holds no segment this backup needs, from {first} on",
        hint="archiving has stopped, or `wal` names the archive of another cluster; the end of the"
        " backup itself is target = immediate.",
    )


def any_from(files: WalFiles, found: Supply) -> bool:
    """Return whether any of the segments is in the archive."""
    return any(files.segments.get(file.name) is file for file in found.files)


def require_reachable(request: LocateRequest, wal: Wal, position: Lsn | None) -> None:
    """Refuse a target that the WAL cannot reach; see the called functions for the errors raised."""
    programs = request.find_programs(wal.major)
    require_one_production(
        wal.graph, wal.way, request.target, ActivityInWal(wal.files, programs), position
    )
    preflight.require_reachable(
        preflight.Question(request.target, wal.stop, wal.found, request.now, programs)
    )
    history_verdict.require_fork_archived(wal.path, request.target, wal.end)
