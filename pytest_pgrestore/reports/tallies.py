"""Sentences about assertions that were left out or tried again, the same in every report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.format import one_line

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import AssertionOutcome, DrillRecord

_NAMED = 5
"""Assertions that a sentence names."""


def tallies(record: DrillRecord) -> list[tuple[str, str]]:
    """Return what is to be told about a drill's assertions as a whole: a title and a sentence."""
    told = [
        ("Warnings", warned(record)),
        ("Warning", checks_that_warn(record)),
        ("Left out", left_out(record)),
        ("Tried again", tried_again(record)),
    ]
    return [(title, text) for title, text in told if text]


def left_out(record: DrillRecord) -> str:
    """Return how many assertions were skipped or expected to fail, and which; "" if none was."""
    skipped = [one for one in record.assertions if one.verdict is Verdict.SKIPPED]
    return _counted(record, [(one, one_line(one.message) or "skipped") for one in skipped])


def warned(record: DrillRecord) -> str:
    """Return how many assertions are warnings, and which; "" if none is."""
    found = [one for one in record.assertions if one.verdict is Verdict.WARNING]
    return _counted(record, [(one, one_line(one.message)) for one in found])


def checks_that_warn(record: DrillRecord) -> str:
    """Return the built-in checks that are warnings, with their messages; "" if none is."""
    return "; ".join(
        f"{check.name}: {one_line(check.message)}"
        for check in record.checks
        if check.verdict is Verdict.WARNING
    )


def tried_again(record: DrillRecord) -> str:
    """Return how many assertions were tried more than once, and which; "" if none was."""
    again = [one for one in record.assertions if one.tries > 1]
    return _counted(record, [(one, f"{one.tries} tries") for one in again])


def _counted(record: DrillRecord, chosen: list[tuple[AssertionOutcome, str]]) -> str:
    if not chosen:
        return ""
    names = [f"{one_line(one.name)} ({why})" for one, why in chosen[:_NAMED]]
    more = f" and {len(chosen) - _NAMED} more" if len(chosen) > _NAMED else ""
    return f"{len(chosen)} of {len(record.assertions)} assertions: {', '.join(names)}{more}"
