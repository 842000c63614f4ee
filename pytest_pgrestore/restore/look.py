"""What a drill would restore now, with nothing restored: is it worth a drill?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.drill import DrillSettings, NextRestore
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.versions import version_in
from pytest_pgrestore.restore.attempt import Attempt, backup_facts
from pytest_pgrestore.restore.judgement import objectives
from pytest_pgrestore.sources.protocol import is_logical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.sandboxes.protocol import Run
    from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource


def look_ahead(drill: Drill, source: LogicalSource | PhysicalSource, run: Run) -> NextRestore:
    """Return what a drill would restore now.

    Raises:
        PgRestoreError: No backup fits, the catalogue cannot be read, or there is no server.
    """
    attempt = Attempt(drill=drill, source=source, settings=DrillSettings(), run=run, progress=print)
    chosen = attempt.locate()
    programs = attempt.find_programs(chosen.server_major)
    moves = isinstance(drill.target, Latest) and chosen.archive_end is not None
    return NextRestore(
        backup=backup_facts(chosen),
        archive_end_lsn=str(chosen.archive_end) if moves else None,
        server_version=version_in(programs.run("postgres", "--version").stdout),
        worries=tuple(_worries(attempt)),
    )


def _worries(attempt: Attempt) -> Iterator[str]:
    """Yield what a drill would find bad, as far as the catalogue tells."""
    if attempt.chosen is None:
        return
    backup, drill = attempt.chosen.backup, attempt.drill
    age = objectives.backup_age(drill, backup.stopped_at, attempt.started_at, backup.oldest_part)
    for check in (*attempt.checks, *([age] if age is not None else [])):
        if check.verdict not in {Verdict.PASSED, Verdict.SKIPPED}:
            yield f"{check.name}: {check.message}"
    rpo = drill.objectives.rpo
    if rpo is None or not isinstance(drill.target, Latest) or not is_logical(attempt.source):
        return
    if backup.started_at is None or attempt.started_at - backup.started_at > rpo:
        yield f"rpo: {backup.label} may be older than {rpo}"
