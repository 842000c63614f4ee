"""The marker `xfail` of a test, as pytest reads it for the report."""

from __future__ import annotations

from typing import Any

import pytest
from _pytest.skipping import Xfail, xfailed_key

from pytest_pgrestore.privacy.row_values import Redactor
from pytest_pgrestore.session.outcomes.expected_failures import (
    note_reasons,
    put_back,
    take_values_out,
)

VALUE = "moc.elpmaxe@ecila"[::-1]
KNOWN = "tluaf nwonk a"[::-1]
"""Turned round: neither text stands in this file."""


def judged(item: Any, expected: Xfail, error: BaseException | None = None) -> Xfail:
    """Return what pytest reads; `expected` is there again afterwards."""
    item.stash[xfailed_key] = expected
    take_values_out(item, error, Redactor(b"key"))
    found: Xfail = item.stash[xfailed_key]
    put_back(item)
    assert item.stash[xfailed_key] is expected
    del item.stash[xfailed_key]
    return found


def test_the_reason_of_a_marker_that_was_added_late_is_redacted(
    request: pytest.FixtureRequest,
) -> None:
    """Unless the file has it; one that was there at collection is no value."""
    request.node.add_marker(pytest.mark.xfail(condition=False, reason=KNOWN))
    note_reasons([request.node])
    request.node.add_marker(pytest.mark.xfail(condition=False, reason=VALUE))

    shown = {
        reason: judged(request.node, Xfail(reason, run=True, strict=True, raises=None)).reason
        for reason in (KNOWN, VALUE, "in this file", "")
    }

    assert VALUE not in shown[VALUE]
    assert shown[VALUE].startswith("<str of 17, #")
    del shown[VALUE]
    assert shown == {KNOWN: KNOWN, "in this file": "in this file", "": ""}


@pytest.mark.skipif(not hasattr(pytest, "RaisesExc"), reason="pytest 8.4 has it first")
def test_the_exception_itself_is_compared(request: pytest.FixtureRequest) -> None:
    """Its stand-in has no text that could match."""
    raises: Any = pytest.RaisesExc(ValueError, match="alice")
    expected = Xfail("", run=True, strict=True, raises=raises)

    assert judged(request.node, expected, ValueError(VALUE)).raises is None
    assert judged(request.node, expected, ValueError("bob")).raises == ()
    plain = Xfail("", run=True, strict=True, raises=ValueError)
    assert judged(request.node, plain, ValueError("bob")).raises is ValueError
