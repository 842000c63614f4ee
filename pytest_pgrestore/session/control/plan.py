"""``--pgrestore-plan``: what each drill would do, printed; nothing is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from pytest_pgrestore.session.drill_session import DrillSession


def plan_lines(state: DrillSession, keys: list[str]) -> tuple[list[str], list[Verdict]]:
    """Return the plans of the drills called `keys` as lines, and the verdict on each that cannot be planned."""
    from pytest_pgrestore.restore.plan import plan_drill

    lines: list[str] = []
    verdicts: list[Verdict] = []
    for key in keys:
        drill = state.requests[key].drill
        try:
            lines += plan_drill(drill, state.source(drill.source), state.run).lines()
        except PgRestoreError as exc:
            lines += [f"drill {key}", *(f"  {line}" for line in str(exc).splitlines())]
            verdicts.append(exc.verdict)
    return lines or ["no drill is selected"], verdicts
