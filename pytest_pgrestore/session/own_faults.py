"""An exception that nobody expected: told as a fault of ours or of a plugin, with its traceback.

It says nothing about the backup, and is no interruption.
"""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError, PgRestoreError
from pytest_pgrestore.model.evidence import DrillRecord, Failure
from pytest_pgrestore.model.version import PACKAGE, __version__
from pytest_pgrestore.model.visible import visible_lines
from pytest_pgrestore.privacy.exceptions import message_without_values

if TYPE_CHECKING:
    from types import TracebackType

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.settings.source_tables import SourceTable

FAULT_LOGS = "pgrestore-fault-*.log"
"""Names of the files with tracebacks, among the logs."""


def own_fault(error: BaseException, doing: str, logs: Path) -> HarnessError:
    """Return what to tell about `error`, and write its traceback to a file among the logs.

    Args:
        error: Of our code, or of a source or sandbox that a plugin added.
        doing: What was done when it was raised, as a gerund.
        logs: Directory of the logs.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    ours = not frames or PACKAGE in Path(frames[-1].filename).parents
    whose = "" if ours else ", outside of pgrestore's own code"
    path = _write(error, doing, logs)
    return HarnessError(
        f"pgrestore itself failed while {doing}: {type(error).__name__}{place}{whose}",
        hint=f"report it to those who wrote that code, with {path}: it holds no value of a row.",
    )


def failure_of(error: Exception, doing: str, logs: Path) -> Failure:
    """Return the failure of a drill that ended with `error`, before or beside its restore.

    Args:
        error: An error of ours keeps its words; any other one is a fault.
        doing: As in `own_fault`.
        logs: Directory of the logs.
    """
    known = error if isinstance(error, PgRestoreError) else own_fault(error, doing, logs)
    return Failure(problem=known.problem, hint=known.hint, verdict=known.verdict, phase="")


def record_without_restore(
    drill: Drill, table: SourceTable, planned: tuple[str, ...], failure: Failure
) -> DrillRecord:
    """Return the record of a drill that ended before its restore did.

    Args:
        drill: The drill that was requested.
        table: Settings of its source.
        planned: Names of its checks.
        failure: Why it ended.
    """
    from pytest_pgrestore.restore.judgement import objectives

    now = datetime.now(UTC)
    return DrillRecord(
        drill=drill.key,
        source=drill.source,
        source_type=table.type,
        target=str(drill.target),
        timeline_asked=str(drill.timeline),
        started_at=now,
        ended_at=now,
        database=table.database,
        rto=objectives.rto(drill, None),
        rpo=objectives.not_measured(drill),
        checks_planned=planned,
        failure=failure,
    )


def _write(error: BaseException, doing: str, logs: Path) -> str:
    """Write the traceback without row values; return how a sentence names the file."""
    lines = [f"pytest-pgrestore {__version__}, while {doing}", *_chain(error)]
    try:
        logs.mkdir(parents=True, exist_ok=True)
        free = (logs / FAULT_LOGS.replace("*", str(number)) for number in range(1, 1000))
        path = next(path for path in free if not path.exists())
        with path.open("x", encoding="utf-8", errors="backslashreplace") as stream:
            path.chmod(0o600)
            stream.write("\n".join(lines) + "\n")
    except (OSError, StopIteration):
        return "its traceback, which could not be written beside the reports"
    return f"the traceback in {path}"


def _chain(error: BaseException) -> list[str]:
    """Return the lines of an exception and of those that led to it, the first one first."""
    lines: list[str] = []
    known: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in known:
        known.add(id(link))
        lines = [*_lines(link, link.__traceback__), *lines]
        link = link.__cause__ or link.__context__
    return lines


def _lines(error: BaseException, trace: TracebackType | None) -> list[str]:
    name = type(error).__qualname__
    told = visible_lines(message_without_values(error)).removeprefix(name)
    return [
        *(
            f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"
            for frame in traceback.extract_tb(trace)
        ),
        f"{type(error).__module__}.{name}{told}",
    ]
