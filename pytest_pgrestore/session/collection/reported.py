"""Reports a part of an item as a test of its own: its parts are known when the backup is restored.

pytest has collected its items before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_pgrestore.session.keys import OTHER_REQUEST, REQUEST, SEVERITY, WORDS_OWN_FAILURE

if TYPE_CHECKING:
    from collections.abc import Callable


def report_part(whole: pytest.Item, part: pytest.Item, judge: Callable[[], None]) -> None:
    """Run `judge`, and report what comes of it as the outcome of `part`.

    Args:
        whole: The item that runs.
        part: An item that pytest has not collected; its name tells it from the others. What it
            has in its stash already is its own.
        judge: Raises as the body of a test does.
    """
    for name in (REQUEST, OTHER_REQUEST, SEVERITY, WORDS_OWN_FAILURE):
        key = cast("pytest.StashKey[Any]", name)
        if key in whole.stash and key not in part.stash:
            part.stash[key] = whole.stash[key]
    call = pytest.CallInfo.from_call(judge, when="call", reraise=(KeyboardInterrupt,))
    report = part.ihook.pytest_runtest_makereport(item=part, call=call)
    report.nodeid = whole.nodeid  # xdist (3.8) asserts that reports are of the test that runs
    part.ihook.pytest_runtest_logreport(report=report)
