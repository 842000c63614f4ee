"""How several verdicts become one."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.verdict import Verdict, worst


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([], Verdict.COULD_NOT_VERIFY),
        ([Verdict.SKIPPED], Verdict.COULD_NOT_VERIFY),
        ([Verdict.PASSED, Verdict.SKIPPED], Verdict.PASSED),
        ([Verdict.PASSED, Verdict.COULD_NOT_VERIFY], Verdict.COULD_NOT_VERIFY),
        ([Verdict.COULD_NOT_VERIFY, Verdict.FAILED], Verdict.FAILED),
    ],
)
def test_the_worst_verdict_speaks_for_all(found: list[Verdict], verdict: Verdict) -> None:
    """Nothing learned is never green, and bad news beats no news."""
    assert worst(found) is verdict
