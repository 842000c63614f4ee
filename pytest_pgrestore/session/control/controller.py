"""Hooks of the process that writes the reports: not a worker. Long: one plugin of pytest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible_lines
from pytest_pgrestore.session.collection.drill_items import USAGE
from pytest_pgrestore.session.control.plan import plan_lines, status_of_plan
from pytest_pgrestore.session.control.run_reports import replace_last
from pytest_pgrestore.session.control.telling import Telling, print_remarks
from pytest_pgrestore.session.drill_session import SESSION, DrillSession
from pytest_pgrestore.session.keys import (
    INPUT_KEY,
    INPUT_REFUSAL,
    INPUT_ROOT,
    IS_DRILL_CHECK,
    REQUEST,
    keys_of_drills,
)
from pytest_pgrestore.session.outcomes.outcomes import drills_of
from pytest_pgrestore.session.outcomes.received import Outcomes
from pytest_pgrestore.settings.listing import is_listing

if TYPE_CHECKING:
    from pytest_pgrestore.session.control.finish import RunEnd

FACTORY = "pgrestore"
"""The fixture that restores on demand: its tests may ask for any drill at any time."""

_COLOURS: dict[Verdict | None, dict[str, bool]] = {
    Verdict.PASSED: {"green": True},
    Verdict.FAILED: {"red": True, "bold": True},
    Verdict.COULD_NOT_VERIFY: {"yellow": True},
}
"""How a line of the summary looks, by its verdict."""


def install(config: pytest.Config) -> None:
    """Register the hooks of this process, unless it is a worker."""
    state = config.stash[SESSION]
    if state.is_worker:
        from pytest_pgrestore.session.control import worker

        worker.install(config)
        return
    replace_last(state.start, state.settings, state.environ)
    if state.settings.planning and hasattr(config.option, "tx"):
        # xdist's options -n and --dist end here: a plan is short, workers would only repeat it.
        config.option.dist, config.option.tx = "no", []
    telling = Telling(state)
    config.pluginmanager.register(Controller(state, telling), "pgrestore-controller")
    config.pluginmanager.register(telling, "pgrestore-telling")


class Controller:
    """Plans drills, removes their copies, and reports the run. A plugin of pytest.

    Args:
        state: The run's drills.
        telling: Tells others how it went.
    """

    def __init__(self, state: DrillSession, telling: Telling) -> None:
        self._state = state
        self._outcomes = Outcomes()
        self._telling = telling
        # Why the run was interrupted, as the end of a sentence; None if it was not.
        self._interruption: str | None = None
        # What an xdist worker found wrong with markers and drill files.
        self._usage_error: str | None = None
        # Verdicts of drills that cannot be planned; None if nothing was planned.
        self._planned: list[Verdict] | None = None
        self._end: RunEnd | None = None
        self._finished = False
        # Drills by test, and the number of tests of each drill that have not ended.
        self._keys: dict[str, list[str]] = {}
        self._open: Counter[str] = Counter()
        # Drills of each test of the user's, and the tests that began.
        self._tests: dict[str, set[str]] = {}
        self._begun: set[str] = set()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected; xdist (3.8) calls this for its workers, too."""
        if report.failed:
            self._outcomes.not_collected[report.nodeid] = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the tests of each drill: its copy is removed after the last one."""
        self._tests = {
            item.nodeid: set(keys_of_drills(item))
            for item in session.items
            if REQUEST in item.stash and not item.stash.get(IS_DRILL_CHECK, False)
        }
        if any(FACTORY in getattr(item, "fixturenames", ()) for item in session.items):
            return  # a fixture may ask for a drill after its last marked test
        self._keys = {
            item.nodeid: keys_of_drills(item) for item in session.items if REQUEST in item.stash
        }
        self._open = Counter(key for keys in self._keys.values() for key in keys)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """With --pgrestore-plan print the plans, and run nothing."""
        if not self._state.settings.planning or is_listing(session.config):
            return None
        lines, self._planned = plan_lines(self._state, session.items)
        self._print(session.config, ["", *lines])
        return True

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note that a test, or another try of it, began."""
        self._begun.add(nodeid)
        self._outcomes.begun(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the outcome of a test."""
        self._outcomes.add(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Remove the copy of a drill after its last test: a run holds few copies at a time.

        pytest-rerunfailures (16) and flaky (3.8) call this after each try of a test.
        """
        keys = self._keys.get(nodeid, ())
        if not keys or not self._state.opened or self._state.forked:
            return
        if not self._outcomes.is_decided(nodeid):
            return
        self._open.subtract(keys)
        for key in keys:
            if self._open[key] == 0 and not self._state.settings.switch("keep"):
                self._finish(key)

    def _finish(self, key: str) -> None:
        """Remove the copy of a drill, if it was restored."""
        from pytest_pgrestore.session.control.finish import finish_one

        result = self._state.results.results().get(key)
        if result is not None:
            with self._state.term_signal.held():
                finish_one(self._state, key, result)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note why the run ended early, and interrupt xdist's workers, too."""
        if self._state.forked:
            return
        self._state.term_signal.disarm()
        text = str(excinfo.value)
        self._interruption = f": {text}" if text else ""
        item = self._state.fixture_usage.current
        if item is not None:
            self._tests.setdefault(item.nodeid, set()).update(drills_of(item))
        if self._state.opened:
            from pytest_pgrestore.session.control.worker import interrupt_workers

            interrupt_workers(self._state.run.root)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Attach its drill to the report of a test whose xdist worker died."""
        if self._state.opened:
            from pytest_pgrestore.session.control.worker import mark_crash

            mark_crash(self._state.run.root, report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Send an xdist worker the run's directory, and the key of the hashes."""
        if self._state.settings.path is None:
            return
        node.workerinput[INPUT_KEY] = self._state.redaction.key.hex()
        try:
            node.workerinput[INPUT_ROOT] = str(self._state.run.root)
        except PgRestoreError as exc:
            node.workerinput[INPUT_REFUSAL] = (exc.problem, exc.hint)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker found wrong with the tests it collected."""
        self._usage_error = getattr(node, "workeroutput", {}).get(USAGE, self._usage_error)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Remove the copies and write the reports; xdist's workers have ended by now."""
        self._finished = True
        if self._state.forked:
            return
        if self._usage_error is not None:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        elif self._planned is not None:
            session.exitstatus = status_of_plan(self._planned)
        if self._state.settings.lists_only:
            self._state.discard()
            return
        if not self._state.opened and not self._state.settings.asked_for:
            return
        self._end = self._close(int(session.exitstatus))
        session.exitstatus = self._end.exit_status

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Do the same after an interruption of the start: pytest then finishes no session.

        After a mistake in the settings pytest does not finish one either.
        """
        if self._finished or self._state.forked or self._state.start.directory is None:
            return
        broken_off = self._interruption is None
        status = pytest.ExitCode.USAGE_ERROR if broken_off else pytest.ExitCode.INTERRUPTED
        self._end = self._close(int(status))
        print_remarks(config, self._end.remarks)

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Print the drills and the paths of the reports."""
        if self._usage_error is not None:
            error = visible_lines(f"ERROR: {self._usage_error}")
            terminalreporter.write_line(error, red=True)
        if self._end is None:
            return
        if self._end.evidence is not None:
            from pytest_pgrestore.reports.terminal import lines

            terminalreporter.section("pgrestore")
            width = config.get_terminal_writer().fullwidth
            for line, verdict in lines(self._end.evidence, width):
                terminalreporter.write_line(line, **_COLOURS.get(verdict, {}))
            paths = self._end.paths or {}
            self._print(config, [f"{name}: {path}" for name, path in paths.items()])
        print_remarks(config, self._end.remarks)

    def _close(self, exit_status: int) -> RunEnd:
        end = self._closed(exit_status)
        return replace(end, remarks=(*end.remarks, *self._telling.report(end)))

    def _closed(self, exit_status: int) -> RunEnd:
        from pytest_pgrestore.session.control.finish import close, close_after_fault

        try:
            if self._state.opened:
                self._add_unfinished()
            return close(self._state, self._outcomes, exit_status, self._interruption)
        except Exception as exc:  # noqa: BLE001 - pytest would show it as an error of its own
            return close_after_fault(self._state, exit_status, exc)

    def _add_unfinished(self) -> None:
        """Add the tests that have no outcome, also those of xdist's workers."""
        from pytest_pgrestore.session.control.unfinished import add_unfinished
        from pytest_pgrestore.session.control.worker import tests_of_workers

        tests = self._tests | tests_of_workers(self._state.run.root)
        add_unfinished(self._outcomes, tests, self._begun, self._state.results.results())

    @staticmethod
    def _print(config: pytest.Config, lines: list[str]) -> None:
        terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
        for line in lines if terminal is not None else ():
            terminal.write_line(visible_lines(line))
