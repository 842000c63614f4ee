"""Restoring files and WAL: the phases of a physical restore, top to bottom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.restore.login import LockedOutError, wait_and_log_in
from pytest_pgrestore.restore.quarantine.carried_settings import notes_on_copy
from pytest_pgrestore.restore.quarantine.files import sanitise
from pytest_pgrestore.restore.quarantine.recovery_settings import recovery_settings
from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.restore.recovery import judge_end, recover
from pytest_pgrestore.restore.server import control_data, superuser
from pytest_pgrestore.sources.protocol import settled
from pytest_pgrestore.sources.wal import tablespaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.restore.server.control_data import ControlData
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.protocol import ChosenBackup, PhysicalSource

DEFAULT_SUPERUSER = "postgres"

_CHECKPOINT_BYTES = 256
"""More than the record of a checkpoint takes, with the header of a page in it."""


def restore_backup(attempt: Attempt, source: PhysicalSource) -> None:
    """Restore the backup chosen for the drill and recover it to its target.

    Raises:
        PgRestoreError: The first cause. `attempt` holds what was found out before it.
    """
    watch = attempt.watch
    with watch.phase("locate"):
        chosen = attempt.locate()
    with watch.phase("provision"):
        sandbox = attempt.provision(chosen)
    with watch.phase("fetch") as lap:
        lap.detail = source.fetch(chosen, sandbox)
    chosen = attempt.chosen = settled(source, chosen)
    with watch.phase("verify"):
        found = source.verify(chosen, sandbox)
        attempt.checks.extend(check for check in found if check.verdict is not Verdict.SKIPPED)
    with watch.phase("configure") as lap:
        control = control_data.read(sandbox)
        stopped = _needs_no_label(sandbox, control)
        lap.detail = _configure(attempt, sandbox, source, chosen)
        _stop_tools(attempt, sandbox)
        attempt.notes += tablespaces.keep_inside(
            sandbox, chosen.backup.start_lsn, control.segment_bytes
        )
    settings = {
        **server_settings(sandbox.programs.major, attempt.nonce),
        **recovery_settings(attempt.drill.target, chosen.timeline, control, sandbox.programs.major),
    }
    log = recover(attempt, source, chosen, sandbox, settings)
    with watch.phase("ready"):
        access = attempt.access = _log_in(attempt, sandbox, settings)
    alone = stopped and chosen.archive_end is None
    judge_end(attempt, access, chosen, control, log, ends_anywhere=alone)
    if stopped:
        attempt.notes.append(
            f"the copy has no backup_label and needs none: its server was stopped ({control.state})"
        )
    if alone and attempt.recovered_to is not None:
        _require_stopped(control, attempt.recovered_to.lsn)


def _needs_no_label(sandbox: Sandbox, control: ControlData) -> bool:
    """Tell whether the copy is of a stopped server: PostgreSQL docs, "File System Level Backup".

    Raises:
        BackupNotRestorable: It is of a running one, and its label was lost.
    """
    if (sandbox.data / "backup_label").exists():
        return False
    if control.stopped:
        return True
    raise BackupNotRestorable(
        "the backup has no backup_label: a server would open it as if it had crashed, with wrong"
        f" rows and no word (its pg_control says {control.state!r})",
        hint="take the backup with pg_basebackup or pg_backup_start/pg_backup_stop, and keep the"
        " label it gives; or copy the directory of a server that is stopped.",
    )


def _require_stopped(control: ControlData, reached: str | None) -> None:
    """Refuse a copy whose own WAL goes on after the shutdown that its pg_control tells of.

    Raises:
        BackupNotRestorable: The server was started again while it was copied.
    """
    if reached is None or control.state != "shut down":
        return
    if Lsn.parse(reached) > control.checkpoint + _CHECKPOINT_BYTES:
        raise BackupNotRestorable(
            f"the copy's WAL goes on to {reached}, after the shutdown at {control.checkpoint} that"
            " its pg_control tells of: the server ran while its directory was copied",
            hint="stop the server, copy its directory, and start it only then; or use"
            " pg_basebackup.",
        )


def _configure(
    attempt: Attempt, sandbox: Sandbox, source: PhysicalSource, chosen: ChosenBackup
) -> str:
    """Make the copy harmless and lay out the WAL it needs. Nothing of it has run yet.

    Returns words for the phase.
    """
    moved = sanitise(sandbox)
    attempt.notes += notes_on_copy(sandbox, moved, attempt.source.type)
    staged = source.stage_wal(chosen, sandbox)
    return f"{staged}; moved away {len(moved)} files that would steer the server"


def _stop_tools(attempt: Attempt, sandbox: Sandbox) -> None:
    """Stop the backup tool before anything of the copy runs, and note when its network ended."""
    if attempt.source.requirements is None:
        return
    network = sandbox.tool_runner(attempt.source.requirements).network
    sandbox.stop_tools()
    if network:
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        attempt.notes.append(
            f"{attempt.source.type} had the network ({network}) until {moment}, when all WAL was"
            " there; the server was first started after that"
        )


def _log_in(attempt: Attempt, sandbox: Sandbox, settings: Mapping[str, str]) -> ConnectionInfo:
    """Log in, through single-user mode where production has no superuser of a known name."""
    user = attempt.settings.superuser or DEFAULT_SUPERUSER
    try:
        return wait_and_log_in(attempt, sandbox, user)
    except LockedOutError:
        attempt.notes.append(
            "no superuser of the usual name may log in: one was found in single-user mode"
        )
    sandbox.stop()
    # Recovery has ended, so a target would be refused.
    plain = {
        name: value for name, value in settings.items() if not name.startswith("recovery_target")
    }
    user = superuser.find_offline(sandbox, {**plain, **sandbox.own_settings()})
    sandbox.start(plain)
    return wait_and_log_in(attempt, sandbox, user)
