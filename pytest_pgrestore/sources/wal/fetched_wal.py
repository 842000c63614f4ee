"""WAL that was fetched from a repository: checked like any other archive, and laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.target import AtName, AtXid
from pytest_pgrestore.model.wal import is_segment_name
from pytest_pgrestore.sources.restored_files import is_file
from pytest_pgrestore.sources.wal import archive_findings, preflight, segments, staging
from pytest_pgrestore.sources.wal.activity import ActivityInWal
from pytest_pgrestore.sources.wal.header import Expected, control_identifier
from pytest_pgrestore.sources.wal.production_timeline import require_one_production
from pytest_pgrestore.sources.wal.segments import Supply, WalFile
from pytest_pgrestore.sources.wal.side_branches import branches_beside
from pytest_pgrestore.sources.wal.stored_wal import BEYOND
from pytest_pgrestore.sources.wal.target_position import search

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.wal.stored_wal import WalPlan


def stage(wanted: WalPlan, sandbox: Sandbox) -> str:
    """Check the WAL that `stored_wal.bring` fetched and lay it out for the server.

    Returns what was done, for the report of the phase.

    Raises:
        BackupNotRestorable: A segment is damaged or foreign, or the end of the archive is not the
            end of production.
        TargetUnreachable: The target is not in this WAL.
    """
    found = _checked(wanted, sandbox)
    into = sandbox.data / "pg_wal"
    for file in found.files:
        file.path.rename(into / file.name)
    histories = wanted.stored.histories

    def put(timeline: int, target: Path) -> bool:
        if timeline not in histories:
            return False
        target.write_text(histories[timeline])
        return True

    staging.stage_histories(wanted.path, into, put)
    sandbox.adopt(into)
    return f"{found.words()} staged"


def _checked(wanted: WalPlan, sandbox: Sandbox) -> Supply:
    """Return the fetched segments that are sound; see `stage` for the errors raised."""
    programs = sandbox.programs
    scanned = segments.scan(sandbox.wal).segments
    # A tool wrote them. A link would be followed when recovery writes into it.
    brought = {name: file for name, file in scanned.items() if is_file(file.path)}
    expected = Expected(wanted.segment_bytes, control_identifier(sandbox.data), programs.major)
    by_name = segments.supply(brought, wanted.path, wanted.start, wanted.segment_bytes)
    found = segments.sound(by_name, expected, preflight.until(wanted.target, wanted.stop))
    if not found.broken and wanted.found.broken and len(found.files) == len(wanted.found.files):
        found = Supply(found.files, found.end, wanted.found.broken, wanted.found.cut_off)
    if wanted.beyond:
        every = brought | segments.scan(sandbox.wal / BEYOND).segments
        activity = ActivityInWal(every, programs)
        position = None
        if isinstance(wanted.target, AtName | AtXid):
            branches = branches_beside(wanted.graph, wanted.path)
            position = search(wanted.target, found.files, branches, every, programs)
        require_one_production(wanted.graph, wanted.way, wanted.target, activity, position)
    preflight.require_reachable(
        preflight.Question(wanted.target, wanted.stop, found, wanted.now, programs)
    )
    return found


def reachable(wanted: WalPlan, sandbox: Sandbox) -> list[str]:
    """Return the stops nearest to the target, and why the archive ends early, if it does."""
    # The server's user may have put anything there since.
    files = sorted((sandbox.data / "pg_wal").iterdir())
    staged = [
        WalFile(path.name, path) for path in files if is_segment_name(path.name) and is_file(path)
    ]
    return archive_findings.nearest_stops(staged, wanted.found, wanted.target, sandbox.programs)
