"""Tests of drills that have no outcome when the run ends: interrupted, or never begun.

Without a word about them, their drill would seem to have passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import AssertionOutcome
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from pytest_pgrestore.session.outcomes.received import Outcomes

BEGUN = "not measured: the test had begun, and the run ended before it"
NOT_BEGUN = "not measured: the run ended before the test began"


def add_unfinished(
    outcomes: Outcomes,
    tests: Mapping[str, Iterable[str]],
    begun: Container[str],
    restored: Container[str],
) -> None:
    """Add that a test without an outcome could not verify its drills.

    Args:
        outcomes: The outcomes of the run so far.
        tests: The drills of each test, by its node id.
        begun: Node ids of the tests that began.
        restored: Keys of the drills that have a record. Others have no verdict to spoil, unless
            one of their tests began.
    """
    for name, keys in tests.items():
        started = name in begun
        for key in keys:
            if outcomes.has(key, name) or not (started or key in restored):
                continue
            outcomes.put(
                key,
                name,
                AssertionOutcome(
                    name=name,
                    verdict=Verdict.COULD_NOT_VERIFY,
                    message=BEGUN if started else NOT_BEGUN,
                    seconds=0.0,
                    file=name.partition("::")[0],
                ),
            )
