"""RTO and RPO: the figures, their definitions, and the verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.evidence import Check, DataLossFigures, ObjectiveResult
from pytest_pgrestore.model.objectives import ObjectiveStatus, judge
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.model.secret import Secret

RTO_DEFINITION = (
    "sum of the phases fetch, configure, start, replay, promote and ready: from the first byte copied to the first"
    " query answered by a server that is no longer in recovery; finding the backup, making the sandbox and"
    " verifying the manifest are shown and do not count"
)
_NOT_JUDGED = "not judged: the RPO is measured on drills to latest, from the start of the drill"
_BY_LIVE = (
    "how far the live server was ahead of the restored one when it was asked, after the restore"
)
_BY_FRESHNESS = (
    "start of the drill minus the freshest business row, by the source's freshness query"
)
_BY_COMMIT = "start of the drill minus the time of the last commit recovered"
_BY_BACKUP = "start of the drill minus the moment the backup's data is of: everything committed since would be lost"
_IDLE = (
    " ; the last commit is older than the objective, which on an idle database says nothing: name a freshness query"
    " (a heartbeat) or a live connection for a verdict"
)


def rto(drill: Drill, seconds: float | None, rto_not_comparable: str = "") -> ObjectiveResult:
    """Return the RTO verdict; None seconds (no server came up) is "not measured".

    Args:
        drill: With its objectives.
        seconds: What was measured.
        rto_not_comparable: Why that is not what a disaster would take; then it is shown and not judged.
    """
    measured = None if seconds is None or rto_not_comparable else timedelta(seconds=seconds)
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
    """Return the RPO verdict: the live server decides, else the freshest row, else the last commit.

    The last commit alone can only acquit: on an idle database an old one is no proof of loss. A backup of one moment
    (a dump, or a base backup without archived WAL) convicts too: what came later is not in it.
    """
    objective = drill.objectives.rpo
    if not isinstance(drill.target, Latest):
        return _result(objective, None, ObjectiveStatus.NOT_SET, _NOT_JUDGED)
    for seconds, definition in (
        (loss.live_seconds, _BY_LIVE),
        (loss.freshness_seconds, _BY_FRESHNESS),
    ):
        if seconds is not None:
            return _result(
                objective, seconds, judge(timedelta(seconds=seconds), objective), definition
            )
    seconds, definition = loss.last_commit_seconds, _BY_BACKUP if one_moment else _BY_COMMIT
    judgement = judge(None if seconds is None else timedelta(seconds=seconds), objective)
    if judgement is ObjectiveStatus.MISSED and not one_moment:
        judgement, definition = ObjectiveStatus.NOT_MEASURED, definition + _IDLE
    return _result(objective, seconds, judgement, definition)


def not_measured(drill: Drill) -> ObjectiveResult:
    """Return the RPO result of a drill that did not come up."""
    applies = isinstance(drill.target, Latest)
    objective = drill.objectives.rpo
    judgement = judge(None, objective) if applies else ObjectiveStatus.NOT_SET
    return _result(objective, None, judgement, _BY_COMMIT if applies else _NOT_JUDGED)


def backup_age(drill: Drill, stopped_at: datetime | None, now: datetime) -> Check | None:
    """Return the check of the backup's age; None when no limit is set."""
    limit = drill.objectives.max_age
    if limit is None:
        return None
    if stopped_at is None:
        return Check(
            name="backup age",
            verdict=Verdict.COULD_NOT_VERIFY,
            message="the backup does not tell when it ended",
            expected=f"at most {limit}",
        )
    age = now - stopped_at
    late = age > limit
    return Check(
        name="backup age",
        verdict=Verdict.FAILED if late else Verdict.PASSED,
        message=f"the newest usable backup ended {stopped_at.isoformat()}, {age} before the drill"
        + (f"; at most {limit} is allowed" if late else ""),
        expected=f"at most {limit}",
        observed=str(age),
    )


def freshest(connection: psycopg.Connection[Any], query: str) -> datetime | None:
    """Return the moment the user's freshness query answers; None when it answers NULL or no row.

    Raises:
        ConfigError: It answers something else than one time.
    """
    row = connection.execute(query.encode()).fetchone()
    value = row[0] if row else None
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise ConfigError(
            f"the freshness query answers {type(value).__name__}, not a timestamp",
            hint="select one timestamp with time zone, for example select max(created_at) from orders.",
        )
    # The server runs in UTC, so a timestamp without zone is read as the server would.
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def seconds_behind_live(
    live: Secret,
    query: str | None,
    restored: psycopg.Connection[Any],
    fallback_seconds: float | None,
) -> float | None:
    """Return by how much the live server is ahead of the restored one, reading both.

    With a freshness query: the difference of its answers. Without: zero when the live server has given out no
    transaction number since, else `fallback_seconds`, the age of the last commit recovered.
    """
    import psycopg

    with psycopg.connect(live.reveal(), autocommit=True) as production:
        production.execute("set default_transaction_read_only = on")
        if query is not None:
            ahead, here = freshest(production, query), freshest(restored, query)
            return (
                None if ahead is None or here is None else max(0.0, (ahead - here).total_seconds())
            )
        ask = "select txid_snapshot_xmax(txid_current_snapshot())"
        there, ours = production.execute(ask).fetchone(), restored.execute(ask).fetchone()
    return 0.0 if there == ours else fallback_seconds


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
