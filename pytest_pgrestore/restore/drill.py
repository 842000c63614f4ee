"""A drill from beginning to end: restore, prove the quarantine, measure, and later finish."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pgrestore.checks import repository
from pytest_pgrestore.checks.after_tests import page_checksums, server_gone
from pytest_pgrestore.model.drill import DrillSettings, RestorePlan
from pytest_pgrestore.model.errors import HarnessError, PgRestoreError
from pytest_pgrestore.model.evidence import Check, Failure
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.privacy.log_text import without_values
from pytest_pgrestore.restore.attempt import Attempt, check_names
from pytest_pgrestore.restore.logical import LOADING, restore_dump
from pytest_pgrestore.restore.measure import measure
from pytest_pgrestore.restore.physical import restore_backup
from pytest_pgrestore.restore.quarantine.recovery_settings import target_settings
from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.sources.protocol import is_logical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.model.evidence import DrillRecord, Teardown
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.sandboxes.protocol import Run
    from pytest_pgrestore.sources.protocol import Source

__all__ = [
    "DrillResult",
    "DrillSettings",
    "Finish",
    "check_names",
    "finish_drill",
    "plan_drill",
    "run_drill",
]


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What a drill left: its record, and the way in when a server came up."""

    record: DrillRecord
    access: ConnectionInfo | None


@dataclass(frozen=True, slots=True)
class Finish:
    """What the end of a drill added to its evidence."""

    checks: tuple[Check, ...]
    teardown: Teardown
    logs: tuple[str, ...]


def run_drill(
    drill: Drill,
    source: Source,
    settings: DrillSettings,
    run: Run,
    *,
    log_directory: Path,
    progress: Callable[[str], None],
) -> DrillResult:
    """Restore `drill` and measure it. A bad backup is a record with a failure, not an exception.

    Args:
        drill: What was asked.
        source: Where its backups live.
        settings: The source's settings that are not about its tool.
        run: The run's directory.
        log_directory: Where logs are saved, on every path.
        progress: Told how far replay is.
    """
    attempt = Attempt(drill=drill, source=source, settings=settings, run=run, progress=progress)
    nonce = uuid4().hex
    try:
        with _blaming_the_harness():
            if is_logical(source):
                restore_dump(attempt, source, nonce)
            else:
                restore_backup(attempt, source, nonce)
            measure(attempt)
    except PgRestoreError as exc:
        # When the watchdog has removed the copy, whatever went wrong says nothing about the backup.
        why = run.note_state(drill.key)
        cause = (
            run.time_limit_error()
            or (_blameless(why) if exc.verdict is Verdict.FAILED else None)
            or exc
        )
        attempt.failure = Failure(
            problem=cause.problem,
            hint=cause.hint,
            verdict=cause.verdict,
            phase=attempt.watch.current or "locate",
        )
    finally:
        attempt.logs = (
            *_save_said(attempt, log_directory),
            *save_logs(run, drill.key, log_directory),
        )
    return DrillResult(attempt.record(), attempt.access if attempt.failure is None else None)


def finish_drill(
    run: Run, drill_key: str, access: ConnectionInfo | None, log_directory: Path
) -> Finish:
    """Ask the last questions, save the logs, remove the copy and prove it; from any process of the run."""
    late = run.time_limit_error()
    last = _time_limit(late.problem) if late is not None else None
    why = run.note_state(drill_key)
    if access is not None and why is not None and last is None:
        last = server_gone(why)
    checks = [] if access is None else [last or _last_questions(access)]
    checks += repository.look_again(run.root / "state" / run.drill_root(drill_key).name)
    logs = save_logs(run, drill_key, log_directory)
    return Finish(tuple(checks), run.close_drill(drill_key), logs)


def save_logs(run: Run, drill_key: str, log_directory: Path) -> tuple[str, ...]:
    """Copy the drill's logs below `log_directory`, without what may quote rows; return names relative to its parent."""
    origin = run.drill_root(drill_key)
    saved = []
    for path in sorted((origin / "logs").glob("*")):
        folder = log_directory / origin.name
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / path.name
        text = path.read_text(encoding="utf-8", errors="backslashreplace")
        copy.write_text(without_values(text), encoding="utf-8")
        copy.chmod(0o600)
        saved.append(str(Path(log_directory.name) / origin.name / path.name))
    return tuple(saved)


def _save_said(attempt: Attempt, log_directory: Path) -> list[str]:
    """Write down what backup tools printed, also of a drill that never had a sandbox."""
    name = attempt.run.drill_root(attempt.drill.key).name
    folder = log_directory / name
    saved = []
    for step, text in attempt.said.items():
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{step}.log"
        path.write_text(without_values(text), encoding="utf-8", errors="backslashreplace")
        path.chmod(0o600)
        saved.append(str(Path(log_directory.name) / name / path.name))
    return saved


def plan_drill(drill: Drill, source: Source, run: Run) -> RestorePlan:
    """Return what would happen, reading catalogues and starting nothing.

    Raises:
        PgRestoreError: No backup fits, or the catalogue cannot be read.
    """
    logical = is_logical(source)
    attempt = Attempt(drill=drill, source=source, settings=DrillSettings(), run=run, progress=print)
    chosen = source.locate(attempt.request())
    programs = attempt.find_programs(chosen.server_major)
    settings = server_settings(programs.major, "<run id>")
    settings |= LOADING if logical else target_settings(drill.target)
    settings |= (
        {} if logical else {"recovery_target_timeline": str(chosen.timeline), "hot_standby": "off"}
    )
    return RestorePlan(
        drill=drill,
        source_type=source.type,
        backup=f"{chosen.backup.label} ({chosen.backup.form}, {chosen.backup.kind}): {chosen.selection}",
        steps=_LOGICAL_STEPS if logical else _PHYSICAL_STEPS,
        binaries=programs.origin,
        settings=settings,
        checks=check_names(drill, source),
    )


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



def _time_limit(problem: str) -> Check:
    return Check(name="time limit", verdict=Verdict.COULD_NOT_VERIFY, message=problem)


def _blameless(why: str | None) -> HarnessError | None:
    """Return the error of a sandbox that ended by itself: whatever failed in it then says nothing about the backup."""
    hint = "read the saved logs: container.json has the daemon's own words; is sandbox.memory too small?"
    return None if why is None else HarnessError(why, hint=hint)


def _last_questions(access: ConnectionInfo) -> Check:
    import psycopg

    try:
        with access.open() as connection:
            return page_checksums(connection)
    except psycopg.Error as exc:
        return server_gone(str(exc).strip().splitlines()[0])


@contextmanager
def _blaming_the_harness() -> Iterator[None]:
    """Translate what the system and the driver raise: it says nothing about the backup."""
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
        raise HarnessError(
            f"asking the restored server failed: {message}", hint="read the saved server log."
        ) from exc
