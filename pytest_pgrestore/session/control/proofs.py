"""The proofs of a run: those that stand for drills that were not due, and those it made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.session.control.due import decision_of
from pytest_pgrestore.session.control.past_runs import past_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_pgrestore.history.entry import Entry
    from pytest_pgrestore.model.evidence import DrillRecord, LeftOut
    from pytest_pgrestore.session.drill_session import DrillSession


def left_out(state: DrillSession, records: Iterable[DrillRecord]) -> tuple[LeftOut, ...]:
    """Return the drills that were not due, and that nothing restored all the same.

    Args:
        state: The run's drills.
        records: Of the drills that were restored.
    """
    restored = {record.drill for record in records}
    return tuple(one for key, one in decision_of(state).left_out.items() if key not in restored)


def with_past(state: DrillSession, records: Iterable[DrillRecord]) -> Iterator[DrillRecord]:
    """Yield each record with when its proof expires, and with what was otherwise in the last one.

    What is damaged in it is a note too.
    """
    past = past_runs(state)
    entries = past.believed if past is not None else ()
    damage = [past.damaged] if past is not None and past.damaged else []
    for record in records:
        every = state.settings.sources[record.source].every
        yield replace(
            record,
            fresh_until=record.started_at + every if every and record.is_proof() else None,
            notes=(*record.notes, *damage, *_notes(record, entries)),
        )


def _notes(record: DrillRecord, entries: tuple[Entry, ...]) -> Iterator[str]:
    if not entries or record.server is None:
        return
    from pytest_pgrestore.history.entry import past_drill
    from pytest_pgrestore.history.reasons import by_drill, differences, proof_of

    proof = proof_of(by_drill(entries).get(record.drill, []))
    if proof is not None:
        for change in differences(proof.drill, past_drill(record)):
            yield f"since its last green drill: {change}"
