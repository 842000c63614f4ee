"""What pytest's marker `xfail` says of a test: its reason, and which exceptions it expects.

A test may add the marker while it runs: its reason may be a value then. And pytest compares the
exception with the marker after we have taken the values out of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.session.outcomes.subtest_names import written_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_pgrestore.privacy.row_values import Redactor

_REASONS = pytest.StashKey[frozenset[str]]()
"""On an item: the reasons of its markers when it was collected."""

_EXPECTED = pytest.StashKey[Any]()
"""On an item: what pytest itself evaluated of its markers."""


def note_reasons(items: Iterable[pytest.Item]) -> None:
    """Note the reasons that were written before any row was read."""
    for item in items:
        item.stash[_REASONS] = frozenset(_reasons_of(item))


def take_values_out(item: pytest.Item, error: BaseException | None, redactor: Redactor) -> None:
    """Redact the reason, and compare the exception itself with those that are expected.

    pytest (8.2 to 9.2) reads both in its ``pytest_runtest_makereport``.
    """
    from _pytest.skipping import xfailed_key

    expected: Any = item.stash.get(xfailed_key, None)
    if expected is None:
        return
    item.stash[_EXPECTED] = expected
    raises, reason = expected.raises, expected.reason
    if error is not None and hasattr(raises, "matches") and not isinstance(raises, type):
        # pytest.RaisesExc looks into the text. None stands for any exception, () for no one.
        raises = None if raises.matches(error) else ()
    if reason not in item.stash.get(_REASONS, ()) and reason not in written_in(Path(item.path)):
        reason = redactor.redact(reason) if reason else reason
    item.stash[xfailed_key] = replace(expected, raises=raises, reason=reason)


def put_back(item: pytest.Item) -> None:
    """Put back what `take_values_out` replaced: the next phase has another exception."""
    from _pytest.skipping import xfailed_key

    if _EXPECTED in item.stash:
        item.stash[xfailed_key] = item.stash[_EXPECTED]
        del item.stash[_EXPECTED]


def _reasons_of(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("xfail"):
        reason = mark.kwargs.get("reason")
        if isinstance(reason, str):
            yield reason
        for condition in (*mark.args, mark.kwargs.get("condition")):
            if isinstance(condition, str):
                yield f"condition: {condition}"  # pytest's words if there is no reason
