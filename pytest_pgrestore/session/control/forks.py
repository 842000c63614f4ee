"""Children that the user's tests fork: the run is their parent's, and ends without them.

A child of `os.fork` is a second pytest in the middle of its test. If it leaves the test, it would
run the tests that follow, remove the copies and write the reports.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_pgrestore.session.drill_session import DrillSession


class ForkGuard:
    """Follows forks of this process. A plugin of pytest, in each process of a run.

    Args:
        state: The run's drills.
    """

    def __init__(self, state: DrillSession) -> None:
        self._state = state
        self._status = 0

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Give a child its signals back, as soon as it is one."""
        if not self._state.settings.asked_for:
            return
        known = weakref.ref(self._state)  # what is registered cannot be taken back

        def in_child() -> None:
            state = known()
            if state is not None:
                state.forked = True
                state.term_signal.restore()

        os.register_at_fork(after_in_child=in_child)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[Any]) -> None:
        """Note with which status the child would have ended."""
        error = None if call.excinfo is None else call.excinfo.value
        self._status = _status_of(error)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        """End a child that has left its test.

        A child of pytest-forked, which reports to its parent, does not come here.
        """
        if self._state.forked:
            os._exit(self._status)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """End a child that was interrupted."""
        if self._state.forked:
            os._exit(int(pytest.ExitCode.INTERRUPTED))


def _status_of(error: BaseException | None) -> int:
    """Return the exit status of a program that ends with `error`, as Python has it."""
    if not isinstance(error, SystemExit):
        return 0 if error is None else 1
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1
