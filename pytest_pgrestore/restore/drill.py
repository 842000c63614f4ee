"""A drill from beginning to end: restore, prove the quarantine, measure, and later finish."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.checks import repository
from pytest_pgrestore.checks.after_tests import page_checksums, server_gone
from pytest_pgrestore.model.damage import CAUSE, is_damage
from pytest_pgrestore.model.drill import DrillSettings
from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.model.evidence import Check, Failure
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore.attempt import Attempt, check_names, listing_path
from pytest_pgrestore.restore.logical import restore_dump
from pytest_pgrestore.restore.measure import measure
from pytest_pgrestore.restore.physical import restore_backup
from pytest_pgrestore.restore.saved_logs import save_logs, save_tool_output
from pytest_pgrestore.sources.protocol import is_logical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.model.evidence import DrillRecord, Teardown
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.sandboxes.protocol import Run
    from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource

__all__ = [
    "DrillResult",
    "DrillSettings",
    "Finish",
    "check_names",
    "finish_drill",
    "run_drill",
]


LAST_LOOK_SECONDS = 15.0
"""Longest wait for the question after the tests: SIGKILL may follow SIGTERM soon."""


@dataclass(frozen=True, slots=True)
class DrillResult:
    """The outcome of a restore.

    Attributes:
        record: Its evidence.
        access: How to connect; None when no server came up.
    """

    record: DrillRecord
    access: ConnectionInfo | None


@dataclass(frozen=True, slots=True)
class Finish:
    """What the end of a drill adds to its evidence.

    Attributes:
        checks: Checks made after the assertions.
        teardown: Proof of the removal.
        logs: Saved log files, relative to the evidence file.
    """

    checks: tuple[Check, ...]
    teardown: Teardown
    logs: tuple[str, ...]


def run_drill(
    drill: Drill,
    source: LogicalSource | PhysicalSource,
    settings: DrillSettings,
    run: Run,
    *,
    log_directory: Path,
    progress: Callable[[str], None],
) -> DrillResult:
    """Restore `drill` and measure it. A bad backup is a record with a failure, not an exception.

    Args:
        drill: The drill that is requested.
        source: The source of its backups.
        settings: The source's settings that do not concern its tool.
        run: The run that owns the sandbox.
        log_directory: Where logs are saved, however the drill ends.
        progress: Called with the text to show while WAL is replayed.
    """
    attempt = Attempt(drill=drill, source=source, settings=settings, run=run, progress=progress)
    try:
        with _blaming_the_harness():
            if is_logical(source):
                restore_dump(attempt, source)
            else:
                restore_backup(attempt, source)
            measure(attempt)
    except PgRestoreError as exc:
        attempt.failure = _first_cause(attempt, exc)
    finally:
        try:
            attempt.logs = (
                *save_tool_output(run, drill.key, attempt.tool_output, log_directory),
                *save_logs(run, drill.key, log_directory),
            )
        except OSError as exc:
            attempt.notes.append(f"the logs could not be saved: {exc}")
    return DrillResult(attempt.record(), attempt.access if attempt.restored else None)


def finish_drill(
    run: Run, drill_key: str, access: ConnectionInfo | None, log_directory: Path
) -> Finish:
    """Make the last checks, save the logs, remove the copy and prove it.

    Any process of the run may call this.

    Args:
        run: The run that owns the sandbox.
        drill_key: Key of the drill.
        access: How to connect; None when no server came up.
        log_directory: Where logs are saved.
    """
    late = run.time_limit_error()
    why_ended = run.note_state(drill_key)
    checks = [] if access is None else [_last_check(access, late, why_ended)]
    checks += repository.look_again(listing_path(run, drill_key))
    logs: tuple[str, ...] = ()
    try:
        logs = save_logs(run, drill_key, log_directory)
    except OSError as exc:
        message = f"the logs could not be saved: {exc}"
        checks.append(Check(name="logs", verdict=Verdict.COULD_NOT_VERIFY, message=message))
    return Finish(tuple(checks), run.close_drill(drill_key), logs)


def _first_cause(attempt: Attempt, error: PgRestoreError) -> Failure:
    """Return the failure to report: of the run or its sandbox first, which is not the backup's."""
    why_ended = attempt.run.note_state(attempt.drill.key)
    cause = error
    if why_ended is not None and error.verdict is Verdict.FAILED:
        cause = HarnessError(
            why_ended,
            hint="read the saved logs: container.json has the daemon's own words;"
            " is sandbox.memory too small?",
        )
    # After the time limit the watchdog removes the copy: whatever failed then has that cause.
    cause = attempt.run.time_limit_error() or cause
    return Failure(
        problem=cause.problem,
        hint=cause.hint,
        verdict=cause.verdict,
        phase=attempt.watch.current or "locate",
    )


def _last_check(access: ConnectionInfo, late: HarnessError | None, why_ended: str | None) -> Check:
    """Return the check made after the assertions; a server that is gone cannot be queried."""
    import psycopg

    if late is not None:
        return Check(name="time limit", verdict=Verdict.COULD_NOT_VERIFY, message=late.problem)
    if why_ended is not None:
        return server_gone(why_ended)
    try:
        with access.ask(
            timeout_seconds=min(access.timeout_seconds, LAST_LOOK_SECONDS)
        ) as connection:
            return page_checksums(connection)
    except HarnessError as exc:
        return server_gone(exc.problem)
    except psycopg.Error as exc:
        return server_gone(str(exc).strip().splitlines()[0])


@contextmanager
def _blaming_the_harness() -> Iterator[None]:
    """Turn operating system and psycopg errors into HarnessError: the backup may be good.

    What the server says of lost or damaged files of its own is BackupNotRestorable.
    """
    import psycopg

    try:
        yield
    except OSError as exc:
        full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
        raise HarnessError(
            f"the sandbox failed: {exc}",
            hint="free the disk or set sandbox.directory to a larger one."
            if full
            else "check permissions and the sandbox directory.",
        ) from exc
    except psycopg.Error as exc:
        message = exc.diag.message_primary or str(exc).strip().splitlines()[0]
        if is_damage(exc.sqlstate, str(exc)):
            raise BackupNotRestorable(
                f"{CAUSE}: {message}",
                hint="take a new backup, and find out where this one lost the file.",
            ) from exc
        raise HarnessError(
            f"asking the restored server failed: {message}", hint="read the saved server log."
        ) from exc
