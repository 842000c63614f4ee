"""Recovery of a physical copy: start its server, follow it to the end, judge where that is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    HarnessError,
    PgRestoreError,
    TargetUnreachable,
)
from pytest_pgrestore.model.evidence import RecoveredTo
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.restore.judgement import end_of_recovery
from pytest_pgrestore.restore.server.log import STAGES, ServerLog
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.model.stopwatch import Stopwatch
    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.restore.server.control_data import ControlData
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.protocol import ChosenBackup, PhysicalSource

_MIB = 1024 * 1024

# The timeline is that of the segment being written: pg_control has it only after a checkpoint.
_END = (
    "select pg_catalog.pg_last_wal_replay_lsn()::pg_catalog.text,"
    " pg_catalog.pg_last_xact_replay_timestamp(), pg_catalog.substr("
    "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)"
)


def recover(
    attempt: Attempt,
    source: PhysicalSource,
    chosen: ChosenBackup,
    sandbox: Sandbox,
    settings: Mapping[str, str],
) -> ServerLog:
    """Start the server and follow it to the end of recovery; each stage becomes a phase.

    Raises:
        BackupNotRestorable: The server ended, and the backup or its WAL is the cause.
        HarnessError: The server ended for another cause, or the deadline passed.
    """
    sandbox.start(settings)
    log = ServerLog(sandbox.server_log())
    stages = _Stages(attempt.watch)
    progress = _Progress(attempt, chosen)

    def over() -> bool:
        # The status first: the log of a server that has ended is then complete.
        status = sandbox.exit_status()
        complete = log.refresh()
        stages.advance(log.stage())
        if status is not None and complete and not log.says_ready():
            raise _why_ended(attempt, source, chosen, sandbox, log, status)
        progress.show(log.replayed())
        return log.says_ready()

    try:
        wait_until(over, what="recovery", timeout_seconds=attempt.settings.timeout_seconds)
    except (BackupNotRestorable, HarnessError):
        stages.fail()
        raise
    return log


def judge_end(
    attempt: Attempt,
    access: ConnectionInfo,
    chosen: ChosenBackup,
    control: ControlData,
    log: ServerLog,
    *,
    ends_anywhere: bool = False,
) -> None:
    """Compare the end of recovery with the target, and keep both as evidence.

    Args:
        attempt: The restore.
        access: How to connect to its server.
        chosen: The backup.
        control: Its pg_control, before recovery.
        log: The server's log.
        ends_anywhere: The WAL ends in the middle of a segment that was used before, as that of a
            stopped server does: what follows is old, and no damage.

    Raises:
        HarnessError: The server is of another cluster, or did not answer.
    """
    reached = _end_of_recovery(access, log)
    if ends_anywhere and reached.end is not None and reached.end >= control.checkpoint:
        reached = replace(reached, bad_wal=None)
    attempt.checks.append(
        end_of_recovery.target_reached(
            attempt.drill.target,
            reached,
            chosen.archive_end,
            control.segment_bytes,
            None
            if chosen.timeline is None
            else end_of_recovery.Followed(chosen.timeline, chosen.timeline_begins),
        )
    )
    stopped = reached.stopped_transaction
    attempt.recovered_to = RecoveredTo(
        lsn=None if reached.end is None else str(reached.end),
        last_commit_at=reached.last_commit_at,
        last_commit_xid=stopped[1] if stopped and stopped[0] == "after" else None,
        timeline=chosen.timeline,
        reason=(reached.stopping or "end of WAL") + f"; opened on timeline {reached.timeline}",
        archive_end_lsn=None if chosen.archive_end is None else str(chosen.archive_end),
    )
    if control.system_identifier != access.system_identifier:
        raise HarnessError(
            "the server that answered has another system identifier than the copy",
            hint="this must not happen: please report it with the saved logs.",
        )


class _Stages:
    """Times the stages of one server start: each that has passed becomes a phase."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch
        self._began = watch.clock()
        self._stage = watch.current = STAGES[0]

    def advance(self, stage: str) -> None:
        """Record the stages before `stage`; those passed within one look take no time."""
        for passed in STAGES[STAGES.index(self._stage) : STAGES.index(stage)]:
            now = self._watch.clock()
            self._watch.add(passed, now - self._began)
            self._began = now
        self._stage = self._watch.current = stage

    def fail(self) -> None:
        """Record the stage under way as failed."""
        self._watch.add(self._stage, self._watch.clock() - self._began, outcome="failed")


class _Progress:
    """Shows the user how far replay is, once for each report of the server."""

    def __init__(self, attempt: Attempt, chosen: ChosenBackup) -> None:
        self._attempt = attempt
        self._start = chosen.backup.start_lsn
        self._end = chosen.archive_end
        self._shown_seconds = 0.0

    def show(self, replayed: tuple[float, Lsn] | None) -> None:
        """Show the newest report, if it is new: seconds of replay and the position reached."""
        if replayed is None or replayed[0] <= self._shown_seconds:
            return
        self._shown_seconds, position = replayed
        text = f"{self._attempt.drill.key}: replayed to {position}"
        if self._start is not None and position > self._start:
            speed = (position - self._start) / self._shown_seconds
            text += f", {speed / _MIB:.0f} MiB/s"
            if self._end is not None:
                text += f", about {max(0, self._end - position) / speed:.0f} s left"
        self._attempt.progress(text)


def _why_ended(
    attempt: Attempt,
    source: PhysicalSource,
    chosen: ChosenBackup,
    sandbox: Sandbox,
    log: ServerLog,
    status: int,
) -> PgRestoreError:
    """Return the error for a server that ended with `status` before it was open."""
    blameless = sandbox.why_ended()
    if blameless is not None:
        return HarnessError(
            blameless, hint="read the saved logs; container.json has the daemon's own words."
        )
    error = end_of_recovery.why_not_up(
        log.fatal(),
        status,
        attempt.drill.target,
        source.reachable(chosen, sandbox),
        log.bad_wal(),
    )
    if not isinstance(error, TargetUnreachable) or not chosen.other_candidates:
        return error
    # An older backup may reach the target, so that this one does not is not its fault.
    return HarnessError(
        f"{error.problem}; it may lie before the end of backup {chosen.backup.label}, which its"
        " catalogue cannot tell",
        hint=f"name an older one in `backup`: {', '.join(chosen.other_candidates)}.",
    )


def _end_of_recovery(access: ConnectionInfo, log: ServerLog) -> end_of_recovery.EndOfRecovery:
    """Return where recovery ended, by the server's answer and its log."""
    with access.ask() as connection:
        row = connection.execute(_END).fetchone()
    if row is None:
        raise HarnessError(
            "the server did not answer where recovery ended", hint="read the saved server log."
        )
    end, last_commit_at, timeline = row
    return end_of_recovery.EndOfRecovery(
        end=None if end is None else Lsn.parse(end),
        stopping=log.stopping(),
        stopped_transaction=log.stopped_transaction(),
        last_commit_at=last_commit_at or log.last_commit(),
        timeline=int(timeline, 16),
        consistent_at=log.consistent_at(),
        bad_wal=log.bad_wal(),
    )
