"""``--pgrestore-plan``: the plan of each drill as text. Nothing is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.exit_status import COULD_NOT_VERIFY
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.session.control.proofs import left_out
from pytest_pgrestore.session.keys import keys_of_drills

if TYPE_CHECKING:
    from pytest_pgrestore.session.drill_session import DrillSession


def plan_lines(state: DrillSession, items: list[pytest.Item]) -> tuple[list[str], list[Verdict]]:
    """Return the plans of the drills that tests belong to.

    Args:
        state: The run's drills.
        items: The tests.

    Returns:
        Lines to print, and a verdict on each drill that cannot be planned.
    """
    keys = dict.fromkeys(key for item in items for key in keys_of_drills(item))
    try:
        return _plans(state, list(keys))
    except PgRestoreError as exc:
        return str(exc).splitlines(), [exc.verdict]


def _plans(state: DrillSession, keys: list[str]) -> tuple[list[str], list[Verdict]]:
    from pytest_pgrestore.restore.plan import plan_drill

    with_settings = state.config.get_verbosity() > 0

    lines: list[str] = []
    verdicts: list[Verdict] = []
    not_due = {one.drill: one for one in left_out(state, ())}
    for key in keys:
        if key in not_due:
            lines += [f"drill {key}", f"  not due   {not_due[key].why}"]
            continue
        drill = state.requests[key].drill
        try:
            plan = plan_drill(drill, state.source(drill.source), state.run)
            lines += plan.lines(with_settings=with_settings)
            lines += [f"  due       {visible(reason)}" for reason in state.due.get(key, ())]
        except PgRestoreError as exc:
            lines += [f"drill {key}", *(f"  {line}" for line in str(exc).splitlines())]
            verdicts.append(exc.verdict)
    return lines or ["no drill is selected"], verdicts


def status_of_plan(verdicts: list[Verdict]) -> int:
    """Return the exit status of a run that printed plans.

    Args:
        verdicts: On each drill that cannot be planned.
    """
    if Verdict.FAILED in verdicts:
        return int(pytest.ExitCode.TESTS_FAILED)
    return COULD_NOT_VERIFY if verdicts else int(pytest.ExitCode.OK)
