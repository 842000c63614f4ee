"""A drill as a plan: which backup, steps and settings, with nothing started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.drill import DrillSettings, RestorePlan
from pytest_pgrestore.restore.attempt import Attempt, check_names
from pytest_pgrestore.restore.logical import LOADING
from pytest_pgrestore.restore.quarantine.recovery_settings import target_settings
from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.sources.protocol import is_logical

if TYPE_CHECKING:
    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.sandboxes.protocol import Run
    from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource

_LOGICAL_STEPS = (
    "provision: initdb a throwaway cluster",
    "start: start it on a private socket",
    "fetch: load roles and the dump",
    "ready: ask it a query",
)
_PHYSICAL_STEPS = (
    "provision: make a private directory",
    "fetch: copy the backup into it",
    "verify: check every file against the manifest",
    "configure: move away what would steer the server, stage the WAL",
    "start, replay, promote: recover to the target",
    "ready: ask it a query",
)


def plan_drill(drill: Drill, source: LogicalSource | PhysicalSource, run: Run) -> RestorePlan:
    """Return what would happen, reading catalogues and starting nothing.

    Raises:
        PgRestoreError: No backup fits, or the catalogue cannot be read.
    """
    attempt = Attempt(drill=drill, source=source, settings=DrillSettings(), run=run, progress=print)
    chosen = attempt.locate()
    programs = attempt.find_programs(chosen.server_major)
    settings = server_settings(programs.major, "<run id>")
    if is_logical(source):
        settings |= LOADING
    else:
        settings |= target_settings(drill.target)
        settings |= {"recovery_target_timeline": str(chosen.timeline), "hot_standby": "off"}
    backup = chosen.backup
    return RestorePlan(
        drill=drill,
        source_type=source.type,
        backup=f"{backup.label} ({backup.form}, {backup.kind}): {chosen.selection}",
        steps=_LOGICAL_STEPS if is_logical(source) else _PHYSICAL_STEPS,
        binaries=programs.origin,
        settings=settings,
        checks=check_names(drill, source),
    )
