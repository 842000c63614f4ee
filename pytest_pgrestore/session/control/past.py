"""This run beside those of the history: its restore times, the archiver, what was left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.session.control.coverage import is_full
from pytest_pgrestore.session.control.inventory import look_up
from pytest_pgrestore.session.control.past_runs import past_runs
from pytest_pgrestore.session.control.proofs import with_past
from pytest_pgrestore.session.own_faults import own_fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_pgrestore.history.entry import PastDrill
    from pytest_pgrestore.model.evidence import Check, DrillRecord
    from pytest_pgrestore.model.past import Coverage, Outlook
    from pytest_pgrestore.session.drill_session import DrillSession
    from pytest_pgrestore.settings.source_tables import SourceTable


def past_drills(state: DrillSession, problems: list[str]) -> tuple[PastDrill, ...] | None:
    """Return the drills of the history, also of one that is damaged; None without one.

    Args:
        state: The run's drills.
        problems: Gets the reason if it cannot be read.
    """
    past = past_runs(state)
    if past is None:
        return None
    if past.unread:
        problems.append(f"nothing is compared with the runs before: {past.unread}")
        return None
    return past.drills


def proven(
    state: DrillSession, records: Sequence[DrillRecord], problems: list[str]
) -> tuple[DrillRecord, ...]:
    """Return the records with when their proofs expire, and what changed since the last ones.

    Args:
        state: The run's drills.
        records: Of this run.
        problems: As of `compared`.
    """
    try:
        return tuple(with_past(state, records))
    except Exception as exc:  # noqa: BLE001 - the evidence of the drills must still be written
        problems.append(_fault(state, exc))
        return tuple(records)


def compared(
    state: DrillSession,
    records: Sequence[DrillRecord],
    past: Sequence[PastDrill] | None,
    problems: list[str],
) -> tuple[DrillRecord, ...]:
    """Return the records with what the history says of them.

    Args:
        state: The run's drills.
        records: Of this run.
        past: Drills of the runs before it; None without a history.
        problems: Gets what failed of our own: the records themselves are not lost by it.
    """
    if past is None:
        return tuple(records)
    try:
        return tuple(_compared(state, record, past) for record in records)
    except Exception as exc:  # noqa: BLE001 - the evidence of the drills must still be written
        problems.append(_fault(state, exc))
        return tuple(records)


def _fault(state: DrillSession, error: Exception) -> str:
    fault = own_fault(error, "comparing this run with the runs before", state.logs)
    return f"{fault.problem}; {fault.hint}"


def _compared(state: DrillSession, record: DrillRecord, past: Sequence[PastDrill]) -> DrillRecord:
    from pytest_pgrestore.history import archiver

    checks: list[Check | None] = []
    outlook: Outlook | None = None
    if record.failure is None:
        outlook, slower = _restore_time(state, record, past)
        checks.append(slower)
    if record.archiver is not None:
        last = archiver.last_figures(past, record.source, record.started_at)
        checks.append(archiver.judge(record.archiver, last))
    found = tuple(check for check in checks if check is not None)
    return replace(record, checks=(*record.checks, *found), outlook=outlook)


def _restore_time(
    state: DrillSession, record: DrillRecord, past: Sequence[PastDrill]
) -> tuple[Outlook, Check | None]:
    """Return the outlook of a restore that came up, and whether it took longer than usual."""
    from pytest_pgrestore.history import slower
    from pytest_pgrestore.history.entry import past_drill
    from pytest_pgrestore.history.forecast import outlook_of
    from pytest_pgrestore.history.series import series_of

    series = series_of(past, past_drill(record))
    margin, fails = _margin(state, record.source)
    check = slower.judge(series.points[-1], series.points[:-1], margin, fails=fails)
    return outlook_of(series, record.started_at), check


def _margin(state: DrillSession, source: str) -> tuple[float, bool]:
    """Return by what part a restore may take longer than usual, and whether more fails it."""
    table, general = state.settings.sources[source], state.settings.file.history
    margin = table.slower_than_usual
    severity = table.slower_severity or general.slower_severity
    return general.slower_than_usual if margin is None else margin, severity == "error"


def _covers(sources: Mapping[str, SourceTable]) -> dict[str, tuple[str, ...]]:
    """Return the names in the inventory of each source; a copy has those of its source."""
    owners = {f"{name}.{copy}": name for name, table in sources.items() for copy in table.copies}
    return {
        name: (owners.get(name, name),) if table.covers is None else tuple(table.covers)
        for name, table in sources.items()
    }


def coverage(
    state: DrillSession,
    records: Sequence[DrillRecord],
    past: Sequence[PastDrill] | None,
    problems: list[str],
) -> Coverage | None:
    """Return what was drilled of all that is configured; None without a settings file.

    Args:
        state: The run's drills.
        records: Of this run.
        past: Drills of the runs before it; None without a history.
        problems: Gets what of the inventory no source covers, in a full run.
    """
    if state.settings.path is None:
        return None
    try:
        return _coverage(state, records, past, problems)
    except Exception as exc:  # noqa: BLE001 - the evidence of the drills must still be written
        problems.append(_fault(state, exc))
        return None


def _coverage(
    state: DrillSession,
    records: Sequence[DrillRecord],
    past: Sequence[PastDrill] | None,
    problems: list[str],
) -> Coverage:
    from pytest_pgrestore.history.coverage import Configured, coverage_of

    full, covers = is_full(state), _covers(state.settings.sources)
    found = coverage_of(
        {
            name: Configured(covers[name], table.every)
            for name, table in state.settings.sources.items()
        },
        records,
        past,
        now=state.start.started_at,
        days=timedelta(days=state.settings.file.history.coverage_days),
        full=full,
    )
    if not full:
        return found
    return replace(found, inventory=look_up(state, covers, problems))
