"""How recovery ended: why the server did not come up, or whether it stopped at the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    HarnessError,
    PgRestoreError,
    TargetUnreachable,
)
from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid, Immediate, Latest
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.model.wal import Lsn

# Both are FATAL since 13 (PerformWalRecovery in src/backend/access/transam/xlogrecovery.c).
_NOT_REACHED = "recovery ended before configured recovery target was reached"
_TOO_EARLY = "requested recovery stop point is before consistent recovery point"

_HARNESS_SIGNS = {
    # Before the message of a full disk, which semget(2) shares.
    "could not create semaphores": "raise the kernel's limits on semaphores (kernel.sem), or end"
    " servers that left theirs behind.",
    "No space left on device": "free the disk or set sandbox.directory to a larger one.",
    "could not map anonymous shared memory": "give the sandbox more memory.",
    "could not create shared memory segment": "give the sandbox more memory.",
    "could not open shared memory segment": "give every user access to /dev/shm.",
    "could not resize shared memory segment": "give /dev/shm more room (sandbox.shm_size).",
    "could not access file": (
        "the sandbox lacks a library the copy wants: install it beside the server programs."
    ),
    "database files are incompatible with server": "use server programs built like production's.",
    "locale is incompatible": "install production's locales on this machine.",
    "Cannot allocate memory": "give the sandbox more memory.",
    "out of memory": "give the sandbox more memory.",
    "Too many open files": "raise the limit on open files (ulimit -n).",
    "could not create any Unix-domain sockets": "set sandbox.directory to one with a short path.",
    "unrecognized configuration parameter": (
        "the server programs do not know a setting of the quarantine: use a newer minor release, or"
        " PostgreSQL itself in the place of a fork."
    ),
    "is outside the valid range for parameter": (
        "production has a setting that these server programs refuse: use programs built like"
        " production's."
    ),
    # The WAL can tell of more than pg_control did when the backup was taken.
    "maximum number of prepared transactions reached": (
        "production raised max_prepared_transactions after this backup: take a new one, which"
        " knows that."
    ),
}
"""Parts of messages whose cause is the sandbox and not the backup, each with the next step."""


def why_not_up(
    fatal: str | None,
    status: int | None,
    target: RecoveryTarget,
    near: list[str],
    bad_wal: str | None,
) -> PgRestoreError:
    """Return the error for a server that ended during recovery.

    Args:
        fatal: Its first FATAL message; None without any.
        status: Its exit status, negative for a signal; None where it is not known.
        target: The target it was given.
        near: Reachable points nearest the target.
        bad_wal: The message of damaged WAL before it; None without any.
    """
    message = fatal or "the server ended without a reason"
    for sign, hint in _HARNESS_SIGNS.items():
        if sign in message:
            return HarnessError(message, hint=hint)
    if status is not None and status < 0 and fatal is None:
        return HarnessError(
            f"the server was killed by signal {-status} during recovery",
            hint="look for the out-of-memory killer; give the machine more memory.",
        )
    because = f"; WAL is damaged: {bad_wal}" if bad_wal else ""
    nearest = f"; nearest reachable: {'; '.join(near)}" if near else ""
    if _NOT_REACHED in message:
        way = "choose a target at or before a commit the archive holds"
        if isinstance(target, AtName):
            way = "correct the name, if production made the restore point under another one"
        return TargetUnreachable(
            f"recovery ended before it reached {target}{because}{nearest}",
            hint=f"{way}, or find out why the archive ends early.",
        )
    if _TOO_EARLY in message:
        return TargetUnreachable(
            f"{target} lies before the end of the backup, where it becomes consistent{nearest}",
            hint="choose an older backup or a later target.",
        )
    return BackupNotRestorable(
        f"the server did not come up on this backup: {message}{because}",
        hint="read the saved server log; take a new backup if the copy is damaged.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfRecovery:
    """The end of recovery, by the server's answers and its log.

    Attributes:
        end: End of the last record replayed.
        stopping: The server's message where it stopped; None at the end of WAL.
        stopped_transaction: ``("before" or "after", xid)`` where it stopped at a transaction's end.
        last_commit_at: Time of the last transaction replayed.
        timeline: The timeline the server is on now.
        consistent_at: Where the backup became consistent; None where it never did.
        bad_wal: The message of damaged WAL that ended replay; None without any.
    """

    end: Lsn | None
    stopping: str | None
    stopped_transaction: tuple[str, int] | None
    last_commit_at: datetime | None
    timeline: int | None
    consistent_at: Lsn | None
    bad_wal: str | None


@dataclass(frozen=True, slots=True)
class Followed:
    """The timeline that recovery was to follow to its end.

    Attributes:
        timeline: Its number.
        begins: Where it begins; None if it is the backup's own.
    """

    timeline: int
    begins: Lsn | None


def target_reached(
    target: RecoveryTarget,
    reached: EndOfRecovery,
    archive_end: Lsn | None,
    segment_bytes: int,
    followed: Followed | None = None,
) -> Check:
    """Compare the target with where recovery really ended.

    Args:
        target: The target the server was given.
        reached: Where recovery ended.
        archive_end: End of the last WAL segment that recovery could reach; None without an archive.
        segment_bytes: Size of a WAL segment.
        followed: The timeline the server was to follow; None if the source does not tell.
    """
    problem = _problem(target, reached, archive_end, segment_bytes)
    if problem is None and followed is not None:
        problem = _off_the_timeline(target, reached, followed)
    observed = reached.stopping or f"end of WAL at {reached.end}"
    return Check(
        name="target reached",
        verdict=Verdict.FAILED if problem else Verdict.PASSED,
        message=problem or f"asked for {target}: {observed}",
        expected=str(target),
        observed=observed,
    )


def _problem(
    target: RecoveryTarget, reached: EndOfRecovery, archive_end: Lsn | None, segment_bytes: int
) -> str | None:
    """Return why the target was not reached; None when it was."""
    if reached.consistent_at is None:
        return "the server never said that the backup became consistent: its backup_label was lost"
    if isinstance(target, Latest):
        return _short_of_the_end(reached, archive_end, segment_bytes)
    if reached.stopping is None:
        return f"the server opened without saying that it stopped at {target}"
    return _stopped_elsewhere(target, reached, reached.stopping)


def _off_the_timeline(
    target: RecoveryTarget, reached: EndOfRecovery, followed: Followed
) -> str | None:
    """Return how the server left the timeline it was to follow; None if it did not.

    Every archive recovery ends on a timeline of its own, with a higher number (PostgreSQL docs,
    "Timelines").
    """
    if reached.timeline is not None and reached.timeline <= followed.timeline:
        return (
            f"the server opened on timeline {reached.timeline}, and recovery along timeline"
            f" {followed.timeline} ends on a newer one: it was not an archive recovery"
        )
    begins = followed.begins
    if not isinstance(target, Latest) or begins is None:
        return None
    if reached.end is None or reached.end < begins:
        return (
            f"replay ended at {reached.end}, before timeline {followed.timeline} begins at {begins}"
        )
    return None


def _stopped_elsewhere(target: RecoveryTarget, reached: EndOfRecovery, stopping: str) -> str | None:
    commit, end = reached.last_commit_at, reached.end
    match target:
        case AtTime(when) if commit is not None and commit > when:
            # With a target before the end of the backup, PostgreSQL can open later than that,
            # without a message: it stops at the first commit after the backup.
            return (
                f"the copy holds a commit of {commit.isoformat()}, later than {target}:"
                " the backup ended after the target"
            )
        case AtXid(xid) if (
            reached.stopped_transaction is None or reached.stopped_transaction[1] != xid
        ):
            return f"recovery stopped at another transaction: {stopping}"
        case AtLsn(lsn, inclusive=True) if end is None or end < lsn:
            return f"recovery stopped at {end}, short of {target}"
        case Immediate() if "consistency" not in stopping:
            return f"recovery stopped elsewhere: {stopping}"
    return None


def _short_of_the_end(
    reached: EndOfRecovery, archive_end: Lsn | None, segment_bytes: int
) -> str | None:
    """Return why replay ended before the archive does; None when it did not.

    PostgreSQL takes a hole or damage for the end of WAL, and opens without a message (see
    ReadRecord in src/backend/access/transam/xlogrecovery.c).
    """
    if reached.bad_wal is not None:
        return f"replay ended at damaged WAL: {reached.bad_wal}"
    if archive_end is None:
        return None
    if reached.end is None:
        return "the server does not say where replay ended"
    if reached.end <= archive_end - segment_bytes:
        return f"replay ended at {reached.end}, but the archive goes on to {archive_end}"
    return None
