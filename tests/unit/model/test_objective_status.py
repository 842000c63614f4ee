"""A measurement compared with its objective."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_pgrestore.model.objectives import ObjectiveStatus, judge


@pytest.mark.parametrize(
    ("measured", "objective", "judgement"),
    [
        (5, None, ObjectiveStatus.NOT_SET),
        (None, None, ObjectiveStatus.NOT_SET),
        (None, 5, ObjectiveStatus.NOT_MEASURED),
        (5, 5, ObjectiveStatus.MET),
        (6, 5, ObjectiveStatus.MISSED),
        (0, 0, ObjectiveStatus.MET),
    ],
)
def test_an_objective_is_judged(
    measured: int | None, objective: int | None, judgement: ObjectiveStatus
) -> None:
    """Not measured is not zero, and equal is met."""
    given = [None if value is None else timedelta(seconds=value) for value in (measured, objective)]

    assert judge(*given) is judgement
