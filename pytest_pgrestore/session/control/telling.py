"""Tells others about the run: once its tests begin, when its reports are there, and when it ends.

Nothing here changes a verdict or the exit status.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.session.own_faults import own_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.evidence import Evidence
    from pytest_pgrestore.notices.notices import Notices
    from pytest_pgrestore.session.control.finish import RunEnd
    from pytest_pgrestore.session.drill_session import DrillSession


class Telling:
    """What this process tells. A worker of xdist and a forked child have none.

    Args:
        state: The run's drills.
    """

    def __init__(self, state: DrillSession) -> None:
        self._state = state
        self._evidence: Evidence | None = None
        self._session: pytest.Session | None = None

    def begin(self, session: pytest.Session) -> None:
        """Tell that the run began.

        Without strictness it may be a run of unit tests: nobody waits for its end then.
        """
        self._session = session
        notices = self._notices
        if notices is not None and self._state.settings.switch("strict"):
            self._state.start.notices += self._safely(notices.started)

    def report(self, end: RunEnd) -> list[str]:
        """Tell how the run went; return the remarks for the terminal."""
        self._evidence = evidence = end.told
        notices = self._notices
        remarks = list(self._state.start.notices)
        if evidence is None or notices is None:
            return remarks
        return remarks + self._safely(lambda: notices.reported(evidence, end.exit_status))

    def finish(self, status: int) -> list[str]:
        """Tell the exit status; return the remarks for the terminal.

        Args:
            status: The one that we chose. Other plugins may have changed it since.
        """
        evidence, notices = self._evidence, self._notices
        if evidence is None or notices is None:
            return []
        if self._session is not None:
            status = int(self._session.exitstatus)
        if status == 0 and sys.exception() is not None:
            status = int(pytest.ExitCode.TESTS_FAILED)  # Python ends with 1 then
        return self._safely(lambda: notices.ended(status, evidence))

    @cached_property
    def _notices(self) -> Notices | None:
        """What is to be told; None if nothing is, or if the settings cannot be read."""
        settings = self._state.settings
        try:
            if self._state.forked or settings.path is None or not settings.tells:
                return None
            file, history = settings.file, settings.history
        except pytest.UsageError:
            return None
        from pytest_pgrestore.notices.notices import Notices

        return Notices(file, self._state.environ, self._state.start.run_id, history)

    def _safely(self, tell: Callable[[], list[str]]) -> list[str]:
        try:
            return tell()
        except Exception as exc:  # noqa: BLE001 - no notice may end a run
            return [str(own_fault(exc, "telling others about the run", self._state.logs))]
