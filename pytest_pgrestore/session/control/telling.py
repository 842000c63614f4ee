"""Tells others about the run: once its tests begin, when its reports are there, and when it ends.

Nothing here changes a verdict or the exit status.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.visible import visible_lines
from pytest_pgrestore.session.own_faults import own_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_pgrestore.notices.notices import Notices
    from pytest_pgrestore.session.control.finish import RunEnd
    from pytest_pgrestore.session.drill_session import DrillSession


class Telling:
    """What this process tells; a worker of xdist has none. A plugin of pytest.

    Args:
        state: The run's drills.
    """

    def __init__(self, state: DrillSession) -> None:
        self._state = state
        self._end: RunEnd | None = None
        self._session: pytest.Session | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Tell that the run begins: its settings are right, as far as they are known.

        Without strictness it may be a run of unit tests: nobody waits for its end then.
        """
        self._session = session
        notices = self._notices
        if notices is not None and self._state.settings.switch("strict"):
            self._state.start.notices += self._safely(notices.started)

    # The last of all: when another plugin fails here, pytest ends with an error that no status
    # shows yet, and silence is an alarm, too.
    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Tell the exit status."""
        if self._end is None or self._state.forked:
            return
        # What ends the run now comes too late to change it: its status is being told.
        with suppress(KeyboardInterrupt), self._state.term_signal.held():
            print_remarks(config, self._finish(self._end))

    def report(self, end: RunEnd) -> list[str]:
        """Tell how the run went; return the remarks for the terminal."""
        self._end, evidence, notices = end, end.told, self._notices
        remarks = list(self._state.start.notices)
        if evidence is None or notices is None:
            return remarks
        return remarks + self._safely(lambda: notices.reported(evidence, end.exit_status))

    def _finish(self, end: RunEnd) -> list[str]:
        evidence, notices, status = end.told, self._notices, end.exit_status
        if evidence is None or notices is None:
            return []
        if self._session is not None:
            status = int(self._session.exitstatus)  # another plugin may have changed it
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

        run = self._state.start.run_id
        return Notices(file, self._state.environ, run, history, self._digests)

    def _digests(self) -> dict[str, dict[str, str]]:
        """Return the digests of each source's own settings."""
        from pytest_pgrestore.session.digests import digests_of_source

        settings = self._state.settings
        base = None if settings.path is None else settings.path.parent.absolute()
        return {
            name: digests_of_source(table, base) for name, table in settings.file.sources.items()
        }

    def _safely(self, tell: Callable[[], list[str]]) -> list[str]:
        try:
            return tell()
        except Exception as exc:  # noqa: BLE001 - no notice may end a run
            return [str(own_fault(exc, "telling others about the run", self._state.logs))]


def print_remarks(config: pytest.Config, remarks: Iterable[str]) -> None:
    """Print lines of ours, if pytest prints at all."""
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    for remark in remarks if terminal is not None else ():
        terminal.write_line(visible_lines(f"pgrestore: {remark}"))
