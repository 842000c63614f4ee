"""Checks before a base backup is restored: is its WAL complete, and can the target be reached?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtTime, Immediate, Latest
from pytest_pgrestore.sources.wal import commits
from pytest_pgrestore.sources.wal.header import FOREIGN

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.wal.segments import Supply

_FILL = "restore what is missing from another copy of the archive, or take a new base backup now."


_SEGMENT = re.compile(r"[0-9A-F]{24}")


@dataclass(frozen=True, slots=True)
class Question:
    """What is known before the restore.

    Attributes:
        target: Where recovery stops.
        stop: Where the backup ended, or where it began if its end is unknown.
        found: The sound WAL.
        now: Start of the drill.
        programs: PostgreSQL's programs of the backup's major.
    """

    target: RecoveryTarget
    stop: Lsn
    found: Supply
    now: datetime
    programs: PostgresPrograms


def until(target: RecoveryTarget, stop: Lsn) -> Lsn | None:
    """Return the position up to which `target` needs WAL; None if only replay can tell."""
    match target:
        case AtLsn(lsn):
            return lsn
        case Immediate():
            return stop
    return None


def require_reachable(question: Question) -> None:
    """Refuse a target that the backup and its archive cannot reach. Reads WAL if that is needed.

    Raises:
        BackupNotRestorable: WAL the backup needs is missing or damaged.
        TargetUnreachable: The target is outside of the WAL.
    """
    require_complete(question.target, question.stop, question.found)
    if isinstance(question.target, AtTime):
        _require_time(question, question.target)


def require_complete(target: RecoveryTarget, stop: Lsn, found: Supply) -> None:
    """Refuse a target for which the segments' positions are reason enough.

    Raises:
        BackupNotRestorable: WAL the backup needs is missing or damaged.
        TargetUnreachable: The target is outside of the WAL.
    """
    why = f": {found.break_words()}" if found.broken else ""
    # The WAL record XLOG_BACKUP_END ends at `stop`, so the byte before `stop` must exist.
    if not found.files or found.end < stop:
        raise BackupNotRestorable(
            f"the WAL the backup needs to become consistent is not complete: it goes to {stop},"
            f" and there is {found.words()}{why}",
            hint=_after_break(found)
            if found.broken
            else "keep WAL from the start of every backup on, and name the archive in `wal`.",
        )
    if isinstance(target, Latest) and found.broken:
        raise BackupNotRestorable(
            f"{found.break_words()}: PostgreSQL would take that for the end and open at"
            f" {found.end} without a word",
            hint=_after_break(found),
        )
    if isinstance(target, AtLsn) and target.lsn >= found.end:
        raise TargetUnreachable(
            f"{target} lies beyond the end of WAL at {found.end}{why}",
            hint="choose an earlier position, or find out why the archive ends there.",
        )


def _after_break(found: Supply) -> str:
    """Return the next step where the run of segments ends early."""
    if FOREIGN not in found.broken:
        return _FILL
    move = (
        "find out which cluster archives here besides production, and move its segments and"
        " .history files away"
    )
    name = _SEGMENT.findall(found.broken)
    if not name or not found.files or name[-1][:8] == found.files[0].name[:8]:
        return f"{move}; if it is production now, take a backup of it."
    return f'{move}; timeline = "current" stays on the timeline of the backup.'


def require_past(target: AtTime, now: datetime) -> None:
    """Refuse a time in the future.

    Raises:
        TargetUnreachable: The time is in the future.
    """
    if target.when > now:
        raise TargetUnreachable(
            f"{target} lies in the future",
            hint="choose a moment that has passed; latest is everything there is.",
        )


def _require_time(question: Question, target: AtTime) -> None:
    """Refuse a time after the last commit.

    Recovery stops at a time only when it replays a commit or abort with a later timestamp. Source:
    src/backend/access/transam/xlogrecovery.c, recoveryStopsBefore.
    """
    require_past(target, question.now)
    files = question.found.files
    readable = [file for file in files if file.in_tar is None]
    last = commits.last_end(readable, question.programs)
    broken = question.found.break_words()
    where = "before the archive breaks off" if broken else "in the archive"
    if last is None and len(readable) == len(files) <= commits.LOOK_BACK:
        why = f"is not reached: no transaction ends {where} after the backup began"
    elif last is not None and last.when is not None and not is_passed(target, last.when):
        why = f"lies after the last commit {where}, {last}"
    else:
        return
    raise TargetUnreachable(
        "; ".join([f"{target} {why}", *([broken] if broken else [])]),
        hint="PostgreSQL can only stop at a time when a later transaction tells it that the time"
        " has come: choose an earlier moment, or latest.",
    )


def is_passed(target: AtTime, when: datetime) -> bool:
    """Return whether a transaction that ended at `when` stops recovery to `target`."""
    return when > target.when if target.inclusive else when >= target.when
