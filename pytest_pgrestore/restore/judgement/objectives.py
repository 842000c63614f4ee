"""RTO, RPO and the age of the backup: definitions of the figures, and their verdicts."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check, DataLossFigures, ObjectiveResult
from pytest_pgrestore.model.objectives import ObjectiveStatus, judge
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore.freshness import SKEW, clock, rounded

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_pgrestore.model.drill import Drill

RTO_DEFINITION = (
    "sum of the phases fetch, configure, start, replay, promote and ready: from the first byte"
    " copied to the first query answered by a server that is no longer in recovery; finding the"
    " backup, making the sandbox and verifying the manifest are shown and do not count"
)
_NOT_JUDGED = "not judged: the RPO is measured on drills to latest, from the start of the drill"
_BY_LIVE = (
    "how far the live server was ahead of the restored one when it was asked, after the restore"
)
_BY_FRESHNESS = (
    "start of the drill minus the freshest business row, by the source's freshness query"
)
_BY_COMMIT = "start of the drill minus the time of the last commit recovered"
_BY_BACKUP = (
    "start of the drill minus the moment the backup's data is of: everything committed since would"
    " be lost"
)
_IDLE = (
    " ; the last commit is older than the objective, which on an idle database says nothing: name a"
    " freshness query (a heartbeat) or a live connection for a verdict"
)


def rto(drill: Drill, seconds: float | None, rto_not_comparable: str = "") -> ObjectiveResult:
    """Return the result of the RTO.

    Args:
        drill: With its objectives.
        seconds: The time measured; None, as no server came up, is "not measured".
        rto_not_comparable: Why this time is not that of a real disaster recovery; empty if it is.
            Such a time is shown and not judged.
    """
    measured = None if rto_not_comparable else _duration(seconds)
    return ObjectiveResult(
        name="rto",
        judgement=judge(measured, drill.objectives.rto),
        definition=f"{RTO_DEFINITION}; not judged: {rto_not_comparable}"
        if rto_not_comparable
        else RTO_DEFINITION,
        objective_seconds=_seconds(drill.objectives.rto),
        measured_seconds=seconds,
    )


def rpo(drill: Drill, loss: DataLossFigures, *, one_moment: bool) -> ObjectiveResult:
    """Return the result of the RPO, by the best figure there is.

    That is the one of the live server, else the freshest row, else the last commit.

    A figure that was asked for and cannot be had is "not measured", also where no RPO is set: a
    verification that could not run is never green.

    An old last commit is no proof of loss, because the database may have been idle: it is never
    "missed". It is when the backup holds one moment, because later commits are not in it.

    Args:
        drill: With its objectives and target; only drills to latest are judged.
        loss: The figures measured.
        one_moment: Whether the backup is a dump, or a base backup without archived WAL.
    """
    objective = drill.objectives.rpo
    if not isinstance(drill.target, Latest):
        return _result(objective, None, ObjectiveStatus.NOT_SET, _NOT_JUDGED)
    if loss.problem:
        return _result(objective, None, ObjectiveStatus.NOT_MEASURED, loss.problem)
    for seconds, definition in (
        (loss.live_seconds, _BY_LIVE),
        (loss.freshness_seconds, _BY_FRESHNESS),
    ):
        if seconds is not None:
            return _result(objective, seconds, judge(_duration(seconds), objective), definition)
    seconds, definition = loss.last_commit_seconds, _BY_BACKUP if one_moment else _BY_COMMIT
    judgement = judge(_duration(seconds), objective)
    if judgement is ObjectiveStatus.MISSED and not one_moment:
        judgement, definition = ObjectiveStatus.NOT_MEASURED, definition + _IDLE
    return _result(objective, seconds, judgement, definition)


def not_measured(drill: Drill) -> ObjectiveResult:
    """Return the RPO result of a drill that did not come up."""
    applies = isinstance(drill.target, Latest)
    objective = drill.objectives.rpo
    judgement = judge(None, objective) if applies else ObjectiveStatus.NOT_SET
    return _result(objective, None, judgement, _BY_COMMIT if applies else _NOT_JUDGED)


def backup_age(
    drill: Drill, stopped_at: datetime | None, now: datetime, oldest_part: datetime | None = None
) -> Check | None:
    """Return the check of the backup's age; None when no limit is set.

    Args:
        drill: With its objectives.
        stopped_at: When the backup ended; None where that is not known.
        now: Start of the drill.
        oldest_part: When the oldest part that tells it ended. A part that is too old is enough.
    """
    limit = drill.objectives.max_age
    if limit is None:
        return None
    if stopped_at is None and oldest_part is not None and now - oldest_part > limit:
        stopped_at = oldest_part
    if stopped_at is None:
        return Check(
            name="backup age",
            verdict=Verdict.COULD_NOT_VERIFY,
            message="the backup does not tell when it ended",
            expected=f"at most {limit}",
        )
    age = now - stopped_at
    if -age > SKEW:
        return Check(
            name="backup age",
            verdict=Verdict.COULD_NOT_VERIFY,
            message=f"the newest usable backup ended {stopped_at.isoformat()}, which lies"
            f" {rounded(-age)} in the future of {clock(now)}",
            expected=f"at most {limit}",
            observed=str(age),
        )
    late = age > limit
    # Rounded up: what is too old never reads like the limit itself.
    shown = timedelta(seconds=math.ceil(age.total_seconds()))
    ended = f"the newest usable backup ended {stopped_at.isoformat()}"
    too_old = f"; at most {limit} is allowed: find out why no newer backup was made or kept"
    return Check(
        name="backup age",
        verdict=Verdict.FAILED if late else Verdict.PASSED,
        message=f"{ended}, {shown} before the drill" + (too_old if late else ""),
        expected=f"at most {limit}",
        observed=str(shown),
    )


def _result(
    objective: timedelta | None, seconds: float | None, judgement: ObjectiveStatus, definition: str
) -> ObjectiveResult:
    return ObjectiveResult(
        name="rpo",
        judgement=judgement,
        definition=definition,
        objective_seconds=_seconds(objective),
        measured_seconds=seconds,
    )


def _seconds(value: timedelta | None) -> float | None:
    return None if value is None else value.total_seconds()


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
