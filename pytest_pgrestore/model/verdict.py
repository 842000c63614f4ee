"""The verdicts, and how several become one. Imports nothing of ours."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verdict(StrEnum):
    """The result of a drill, a check or an assertion."""

    PASSED = "passed"
    FAILED = "failed"
    COULD_NOT_VERIFY = "could not verify"
    SKIPPED = "skipped"
    WARNING = "warning"
    """Bad, and no reason to fail a run: its author says so of an assertion.

    Two checks have it too: a restore slower than usual, and failures of production's archiver.
    """


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of the whole: failed beats could not verify beats passed.

    What is a warning was verified: it counts as passed. Nothing at all, or nothing but
    skips, is *could not verify*: green needs evidence.
    """
    found = {Verdict.PASSED if one is Verdict.WARNING else one for one in verdicts}
    for verdict in (Verdict.FAILED, Verdict.COULD_NOT_VERIFY, Verdict.PASSED):
        if verdict in found:
            return verdict
    return Verdict.COULD_NOT_VERIFY
