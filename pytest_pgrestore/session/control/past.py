"""This run beside those of the history: its restore times, the archiver, what was left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.session.control.coverage import is_full
from pytest_pgrestore.session.control.inventory import look_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.history.entry import PastDrill
    from pytest_pgrestore.model.evidence import Check, DrillRecord
    from pytest_pgrestore.model.past import Coverage, Outlook
    from pytest_pgrestore.session.drill_session import DrillSession


def past_drills(state: DrillSession, problems: list[str]) -> tuple[PastDrill, ...] | None:
    """Return the drills of the history; None without one.

    Args:
        state: The run's drills.
        problems: Gets the reason if it cannot be read.
    """
    place = state.settings.history
    if place is None:
        return None
    from pytest_pgrestore.history.ledger import Ledger
    from pytest_pgrestore.history.store import open_store

    try:
        past = Ledger(open_store(place)).read()
    except PgRestoreError as exc:
        problems.append(f"nothing is compared with the runs before: {exc.problem}; {exc.hint}")
        return None
    return tuple(drill for entry in past.entries for drill in entry.drills)


def compared(
    state: DrillSession, records: Sequence[DrillRecord], past: Sequence[PastDrill] | None
) -> tuple[DrillRecord, ...]:
    """Return the records with what the history says of them.

    Args:
        state: The run's drills.
        records: Of this run.
        past: Drills of the runs before it; None without a history.
    """
    if past is None:
        return tuple(records)
    return tuple(_compared(state, record, past) for record in records)


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
    margin, fails = state.settings.slower_than_usual(record.source)
    check = slower.judge(series.points[-1], series.points[:-1], margin, fails=fails)
    return outlook_of(series, record.started_at), check


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
    from pytest_pgrestore.history.coverage import Configured, coverage_of

    if state.settings.path is None:
        return None
    full, covers = is_full(state), state.settings.covers()
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
