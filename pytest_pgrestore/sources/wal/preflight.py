"""Before a base backup is restored: is the WAL there that it needs, and can the target be reached at all?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtTime, Immediate, Latest
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.wal import commits

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.wal.segments import Supply, WalFile, WalFiles
    from pytest_pgrestore.sources.wal.timelines import TimelinePath

_FILL = "restore what is missing from another copy of the archive, or take a new base backup now."


@dataclass(frozen=True, slots=True)
class Question:
    """What is known before the restore.

    Attributes:
        target: Where recovery is to stop.
        stop: Where the backup ended, or at least began.
        found: The sound WAL.
        now: Start of the drill.
        programs: Programs of the backup's major.
    """

    target: RecoveryTarget
    stop: Lsn
    found: Supply
    now: datetime
    programs: PostgresPrograms


def until(target: RecoveryTarget, stop: Lsn) -> Lsn | None:
    """Return how far WAL is needed for `target`; None where only replay can tell."""
    match target:
        case AtLsn(lsn):
            return lsn
        case Immediate():
            return stop
    return None


def require_reachable(question: Question) -> None:
    """Refuse what the limits of the backup and its archive rule out, reading the WAL where that is needed.

    Raises:
        BackupNotRestorable: WAL the backup needs is missing or damaged.
        TargetUnreachable: The target lies outside of what there is.
    """
    require_complete(question.target, question.stop, question.found)
    if isinstance(question.target, AtTime):
        _require_time(question, question.target)


def require_complete(target: RecoveryTarget, stop: Lsn, found: Supply) -> None:
    """Refuse what the positions alone rule out.

    Raises:
        BackupNotRestorable: WAL the backup needs is missing or damaged.
        TargetUnreachable: The target lies outside of what there is.
    """
    why = f": {found.break_words()}" if found.broken else ""
    # The record that ends the backup ends at `stop`, so the byte before it must be there.
    if not found.files or found.end < stop:
        raise BackupNotRestorable(
            f"the WAL the backup needs to become consistent is not complete: it goes to {stop},"
            f" and there is {found.words()}{why}",
            hint=_FILL
            if found.broken
            else "keep WAL from the start of every backup on, and name the archive in `wal`.",
        )
    if isinstance(target, Latest) and found.broken:
        raise BackupNotRestorable(
            f"{found.break_words()}: PostgreSQL would take that for the end and open at {found.end} without a word",
            hint=_FILL,
        )
    if isinstance(target, AtLsn) and target.lsn >= found.end:
        raise TargetUnreachable(
            f"{target} lies beyond the end of WAL at {found.end}{why}",
            hint="choose an earlier position, or find out why the archive ends there.",
        )


def require_past(target: AtTime, now: datetime) -> None:
    """Refuse a moment that has not come yet.

    Raises:
        TargetUnreachable: It has not.
    """
    if target.when > now:
        raise TargetUnreachable(
            f"{target} lies in the future",
            hint="choose a moment that has passed; latest is everything there is.",
        )


def _require_time(question: Question, target: AtTime) -> None:
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
        hint="PostgreSQL can only stop at a time when a later transaction tells it that the time has come: choose an"
        " earlier moment, or latest.",
    )


def is_passed(target: AtTime, when: datetime) -> bool:
    """Tell whether the end of a transaction at `when` stops recovery to `target`."""
    return when > target.when if target.inclusive else when >= target.when


def refuse_foreign(
    path: TimelinePath, files: WalFiles, segment_bytes: int, programs: PostgresPrograms
) -> None:
    """Refuse to follow a timeline that began while its parent still went on: both cannot be production.

    That is what a restored copy leaves that was let loose with production's archive_command. Following it loses
    what production did since, without a word.

    Raises:
        BackupNotRestorable: There is such a timeline among those that `latest` would follow.
    """
    for (parent, end), (child, _) in zip(path.steps, path.steps[1:], strict=False):
        if end is None:
            continue
        left_in = int(end) // segment_bytes
        beyond = _of_timeline(files, parent, left_in + 1, segment_bytes)
        childs = _of_timeline(files, child, left_in, segment_bytes) if beyond else []
        born = commits.first_moment(childs, end, programs)
        last = commits.last_end(beyond, programs) if born is not None else None
        if born is not None and last is not None and last.when is not None and last.when > born:
            raise BackupNotRestorable(
                f"timeline {child} left timeline {parent} at {end} and began at {born.isoformat()}, but {parent} went"
                f" on to the {last}: one of them is not production's",
                hint="find out what archives here besides production. To say which one is meant, write"
                f" timeline = {parent} or timeline = {child}.",
            )


def _of_timeline(files: WalFiles, timeline: int, first: int, segment_bytes: int) -> list[WalFile]:
    """Return the unbroken run of one timeline's segments from number `first` on."""
    run: list[WalFile] = []
    while (name := Segment(timeline, first + len(run)).file_name(segment_bytes)) in files.segments:
        run.append(files.segments[name])
    return run
