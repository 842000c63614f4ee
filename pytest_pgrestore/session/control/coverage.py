"""Which of the configured sources a full run left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_pgrestore.model.evidence import DrillRecord
    from pytest_pgrestore.session.drill_session import DrillSession
    from pytest_pgrestore.session.outcomes.received import Outcomes

_SELECTING = (
    *("keyword", "markexpr", "deselect", "ignore", "ignore_glob"),
    *("lf", "stepwise", "setuponly", "maxfail"),
    "splits",  # of pytest-split (0.11)
)
"""Flags by their dest, with which pytest leaves tests out or may stop early."""


def undrilled(
    state: DrillSession, records: Iterable[DrillRecord], outcomes: Outcomes
) -> tuple[str, ...]:
    """Return the configured sources that no test of this run drilled; none if the run is partial.

    A test that a hook deselected drilled nothing: only a flag that selects makes a run partial.

    Args:
        state: The run's drills.
        records: Of the drills that were restored.
        outcomes: Of the run's tests.
    """
    if not is_full(state):
        return ()
    drilled = {record.source for record in records}
    # A name of a source holds no "@": see `model.drill.Drill.key`.
    drilled |= {key.partition("@")[0] for key in outcomes.drills()}
    return tuple(sorted(set(state.settings.sources) - drilled))


def is_full(state: DrillSession) -> bool:
    """Return whether the run was to collect every test of the project."""
    config, path = state.config, state.settings.path
    if path is None or any(config.getoption(name, None) for name in _SELECTING):
        return False
    places = {path.parent.resolve(), config.rootpath.resolve()}
    here = config.invocation_params.dir
    match config.args_source:
        case pytest.Config.ArgsSource.ARGS:
            return all((here / argument).resolve() in places for argument in config.args)
        case pytest.Config.ArgsSource.INVOCATION_DIR:
            return here.resolve() in places
    return True
