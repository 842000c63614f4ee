"""Restoring files and WAL: the phases of a recovery, top to bottom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.checks import repository
from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    HarnessError,
    PgRestoreError,
    TargetUnreachable,
)
from pytest_pgrestore.model.evidence import RecoveredTo
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.restore.judgement import end_of_recovery
from pytest_pgrestore.restore.login import LockedOutError, wait_and_log_in
from pytest_pgrestore.restore.quarantine.files import sanitise
from pytest_pgrestore.restore.quarantine.recovery_settings import recovery_settings
from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.restore.server import control_data, superuser
from pytest_pgrestore.restore.server.log import ServerLog
from pytest_pgrestore.sources.wal import tablespaces
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.restore.server.control_data import ControlData
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.protocol import ChosenBackup, PhysicalSource

DEFAULT_SUPERUSER = "postgres"
_MIB = 1024 * 1024


def restore_backup(attempt: Attempt, source: PhysicalSource, nonce: str) -> None:
    """Restore the backup chosen for the drill and recover it to its target.

    Raises:
        PgRestoreError: The first cause; what is known by then stands in `attempt`.
    """
    watch = attempt.watch
    with watch.phase("locate"):
        attempt.chosen = chosen = source.locate(attempt.request())
        attempt.checks.extend(chosen.checks)
    with watch.phase("provision"):
        sandbox = attempt.enter_sandbox(chosen)
        repository.remember(
            chosen.backup_paths,
            chosen.wal_archive_paths,
            attempt.run.root / "state" / attempt.run.drill_root(attempt.drill.key).name,
        )
    with watch.phase("fetch") as lap:
        lap.detail = source.fetch(chosen, sandbox)
    with watch.phase("verify"):
        found = source.verify(chosen, sandbox)
        attempt.checks.extend(check for check in found if check.verdict is not Verdict.SKIPPED)
    with watch.phase("configure") as lap:
        control = control_data.read(sandbox)
        lap.detail = _configure(sandbox, source, chosen)
        _put_tools_away(attempt, sandbox)
        attempt.notes += tablespaces.keep_inside(
            sandbox, chosen.backup.start_lsn, control.segment_bytes
        )
    settings = {
        **server_settings(sandbox.programs.major, nonce),
        **recovery_settings(attempt.drill.target, chosen.timeline, control, sandbox.programs.major),
    }
    log = _recover(attempt, source, chosen, sandbox, settings)
    with watch.phase("ready"):
        attempt.access = _log_in(attempt, sandbox, settings, nonce)
    _judge(attempt, chosen, control, log)


def _configure(sandbox: Sandbox, source: PhysicalSource, chosen: ChosenBackup) -> str:
    """Make the copy harmless and lay out the WAL it needs; nothing of it has run yet."""
    if not (sandbox.data / "backup_label").exists():
        raise BackupNotRestorable(
            "the backup has no backup_label: a server would open it as if it had crashed, with wrong rows and no word",
            hint="take the backup with pg_basebackup or pg_backup_start/pg_backup_stop, and keep the label it gives.",
        )
    moved = sanitise(sandbox)
    staged = source.stage_wal(chosen, sandbox)
    return f"{staged}; moved away {len(moved)} files that would steer the server"


def _put_tools_away(attempt: Attempt, sandbox: Sandbox) -> None:
    """End what filled the copy, before anything of the copy runs; the evidence says when."""
    if attempt.source.requirements is None:
        return
    network = sandbox.tool_runner(attempt.source.requirements).network
    sandbox.stop_tools()
    if network:
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        attempt.notes.append(
            f"{attempt.source.type} had the network ({network}) until {moment}, when all WAL was there; the server"
            " was first started after that"
        )


def _recover(
    attempt: Attempt,
    source: PhysicalSource,
    chosen: ChosenBackup,
    sandbox: Sandbox,
    settings: Mapping[str, str],
) -> ServerLog:
    """Start the server and follow it to the end of recovery; each stretch becomes a phase."""
    sandbox.start(settings)
    log = ServerLog(sandbox.server_log())
    watch = attempt.watch
    began = watch.clock()
    stage = watch.current = "start"
    reported = 0.0

    def over() -> bool:
        nonlocal began, stage, reported
        ended = sandbox.exit_status()
        log.refresh()
        for passed in _stages_between(stage, log.stage()):
            now = watch.clock()
            watch.add(passed, now - began)
            began = now
        stage = watch.current = log.stage()
        if ended is not None and not log.says_ready():
            blameless = sandbox.why_ended()
            if blameless is not None:
                raise HarnessError(
                    blameless,
                    hint="read the saved logs; container.json has the daemon's own words.",
                )
            near = source.reachable(chosen, sandbox)
            why = end_of_recovery.why_not_up(
                log.fatal(), ended, attempt.drill.target, near, log.bad_wal()
            )
            raise _without_blame(why, chosen)
        reported = _report(attempt, log, chosen.archive_end, reported)
        return log.says_ready()

    try:
        wait_until(over, what="recovery", timeout_seconds=attempt.settings.timeout_seconds)
    except (BackupNotRestorable, HarnessError):
        watch.add(stage, watch.clock() - began, outcome="failed")
        raise
    return log


def _without_blame(why: PgRestoreError, chosen: ChosenBackup) -> PgRestoreError:
    """Return the error of a target that was not reached, which is no fault of the backup where an older one may do."""
    if not chosen.other_candidates or not isinstance(why, TargetUnreachable):
        return why
    return HarnessError(
        f"{why.problem}; it may lie before the end of backup {chosen.backup.label}, which its catalogue cannot tell",
        hint=f"name an older one in `backup`: {', '.join(chosen.other_candidates)}.",
    )


def _stages_between(before: str, after: str) -> list[str]:
    order = ["start", "replay", "promote", "ready"]
    return order[order.index(before) : order.index(after)]


def _report(attempt: Attempt, log: ServerLog, end: Lsn | None, last: float) -> float:
    """Tell the user how far replay is; return the elapsed seconds told last."""
    newest = log.replayed()
    if newest is None or newest[0] <= last:
        return last
    seconds, position = newest
    chosen = attempt.chosen
    start = chosen.backup.start_lsn if chosen else None
    text = f"{attempt.drill.key}: replayed to {position}"
    if start is not None and position > start:
        speed = (position - start) / seconds
        text += f", {speed / _MIB:.0f} MiB/s"
        text += f", about {max(0, end - position) / speed:.0f} s left" if end is not None else ""
    attempt.progress(text)
    return seconds


def _log_in(
    attempt: Attempt, sandbox: Sandbox, settings: Mapping[str, str], nonce: str
) -> ConnectionInfo:
    """Log in, through single-user mode where production has no superuser of a known name."""
    try:
        return wait_and_log_in(
            attempt, sandbox, attempt.settings.superuser or DEFAULT_SUPERUSER, nonce
        )
    except LockedOutError:
        attempt.notes.append(
            "no superuser of the usual name may log in: one was found in single-user mode"
        )
    sandbox.stop()
    plain = {
        name: value for name, value in settings.items() if not name.startswith("recovery_target")
    }
    user = superuser.find_offline(sandbox, {**plain, **sandbox.own_settings()})
    sandbox.start(plain)
    return wait_and_log_in(attempt, sandbox, user, nonce)


def _judge(attempt: Attempt, chosen: ChosenBackup, control: ControlData, log: ServerLog) -> None:
    """Compare the end of recovery with the target; asked from the server, told by its log."""
    if attempt.access is None:
        return
    end, commit, timeline = _ask(attempt.access)
    reached = end_of_recovery.EndOfRecovery(
        end=end,
        stopping=log.stopping(),
        stopped_transaction=log.stopped_transaction(),
        last_commit_at=commit or log.last_commit(),
        timeline=timeline,
        consistent_at=log.consistent_at(),
        bad_wal=log.bad_wal(),
    )
    attempt.checks.append(
        end_of_recovery.target_reached(
            attempt.drill.target, reached, chosen.archive_end, control.segment_bytes
        )
    )
    stopped = reached.stopped_transaction
    attempt.recovered_to = RecoveredTo(
        lsn=None if end is None else str(end),
        last_commit_at=reached.last_commit_at,
        last_commit_xid=stopped[1] if stopped and stopped[0] == "after" else None,
        timeline=chosen.timeline,
        reason=(reached.stopping or "end of WAL") + f"; opened on timeline {timeline}",
        archive_end_lsn=None if chosen.archive_end is None else str(chosen.archive_end),
    )
    if control.system_identifier != attempt.access.system_identifier:
        raise HarnessError(
            "the server that answered has another system identifier than the copy",
            hint="this must not happen: please report it with the saved logs.",
        )


def _ask(access: ConnectionInfo) -> tuple[Lsn | None, datetime | None, int]:
    with access.open() as connection:
        row = connection.execute(
            "select pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp(),"
            " substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
        ).fetchone()
    if row is None:
        raise HarnessError(
            "the server did not answer where recovery ended", hint="read the saved server log."
        )
    return (None if row[0] is None else Lsn.parse(row[0])), row[1], int(row[2], 16)
