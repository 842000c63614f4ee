"""The runs of the history, read once by each process of a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.session.own_faults import own_fault

if TYPE_CHECKING:
    from pytest_pgrestore.history.entry import Entry, PastDrill
    from pytest_pgrestore.session.drill_session import DrillSession


@dataclass(frozen=True, slots=True)
class PastRuns:
    """What a history holds.

    Attributes:
        entries: In the order of their ends.
        unread: Why it cannot be read, with what to do; "" if it can.
        damaged: What is missing or damaged in it; "" if nothing is.
        unknown_until: Runs up to here are missing, and somebody accepted that.
    """

    entries: tuple[Entry, ...] = ()
    unread: str = ""
    damaged: str = ""
    unknown_until: datetime | None = None

    @property
    def believed(self) -> tuple[Entry, ...]:
        """The entries of a history without damage; none of one with."""
        return () if self.damaged else self.entries

    @property
    def drills(self) -> tuple[PastDrill, ...]:
        """All drills, in the order of their runs."""
        return tuple(drill for entry in self.entries for drill in entry.drills)


_PAST = pytest.StashKey[PastRuns]()


def past_runs(state: DrillSession) -> PastRuns | None:
    """Return the runs of the history; None if none is named."""
    if state.settings.history is None:
        return None
    found = state.config.stash.get(_PAST, None)
    if found is None:
        found = state.config.stash[_PAST] = _read(state, state.settings.history)
    return found


def _read(state: DrillSession, place: str) -> PastRuns:
    from pytest_pgrestore.history.ledger import Ledger
    from pytest_pgrestore.history.store import open_store

    try:
        past = Ledger(open_store(place)).read(datetime.now(UTC))
    except PgRestoreError as exc:
        return PastRuns(unread=f"{exc.problem}; {exc.hint}")
    except Exception as exc:  # noqa: BLE001 - drills are restored and reported without a history
        fault = own_fault(exc, "reading the history", state.logs)
        return PastRuns(unread=f"{fault.problem}; {fault.hint}")
    if not past.problems:
        return PastRuns(past.entries, unknown_until=past.unknown_until)
    more = f" (and {len(past.problems) - 1} more)" if len(past.problems) > 1 else ""
    damaged = (
        f"the history is damaged: {past.problems[0]}{more}; pgrestore history list tells what to do"
    )
    return PastRuns(past.entries, damaged=damaged, unknown_until=past.unknown_until)
