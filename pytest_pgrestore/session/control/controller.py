"""The process that writes the reports: the only one, or the one that sends work to xdist's workers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.exit_status import COULD_NOT_VERIFY
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.collection.drill_items import USAGE
from pytest_pgrestore.session.drill_session import SESSION, DrillSession
from pytest_pgrestore.session.keys import REQUEST
from pytest_pgrestore.session.outcomes.outcomes import Outcomes

if TYPE_CHECKING:
    from pytest_pgrestore.session.control.finish import RunEnd

FACTORY = "pgrestore"
"""Fixture that restores on demand: a test that may ask for any drill at any time."""

_COLOURS: dict[Verdict | None, dict[str, bool]] = {
    Verdict.PASSED: {"green": True},
    Verdict.FAILED: {"red": True, "bold": True},
    Verdict.COULD_NOT_VERIFY: {"yellow": True},
}


def install(config: pytest.Config) -> None:
    """Register the hooks of this process, unless it is a worker."""
    state = config.stash[SESSION]
    if state.worker_input is not None:
        from pytest_pgrestore.session.control import worker

        worker.install(config)
        return
    if state.settings.planning and hasattr(config.option, "tx"):
        # A plan is one short text: no workers.
        config.option.dist, config.option.tx = "no", []
    config.pluginmanager.register(Controller(state), "pgrestore-controller")


class Controller:
    """Hooks of the process that writes the reports.

    Args:
        state: The run's drills.
    """

    def __init__(self, state: DrillSession) -> None:
        self._state = state
        self._outcomes = Outcomes()
        self._interruption: str | None = None
        self._usage: str | None = None
        self._planned: list[Verdict] | None = None
        self._closing: RunEnd | None = None
        self._finished = False
        self._keys: dict[str, str] = {}
        self._open: Counter[str] = Counter()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the tests of each drill, so its copy can go when the last one ended."""
        if any(FACTORY in getattr(item, "fixturenames", ()) for item in session.items):
            return  # a fixture may ask for a drill after its last marked test
        self._keys = {
            item.nodeid: item.stash[REQUEST].drill.key
            for item in session.items
            if REQUEST in item.stash
        }
        self._open = Counter(self._keys.values())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """With --pgrestore-plan print, and run nothing."""
        if not self._state.settings.planning or session.config.option.collectonly:
            return None
        from pytest_pgrestore.session.control.plan import plan_lines

        keys = dict.fromkeys(
            item.stash[REQUEST].drill.key for item in session.items if REQUEST in item.stash
        )
        try:
            lines, self._planned = plan_lines(self._state, list(keys))
        except PgRestoreError as exc:
            lines, self._planned = str(exc).splitlines(), [exc.verdict]
        self._print(session.config, ["", *lines])
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test found."""
        self._outcomes.add(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Remove the copy of a drill whose last test has ended: a run of many drills holds one copy at a time."""
        key = self._keys.get(nodeid)
        if key is None or not self._state.opened:
            return
        self._open[key] -= 1
        if self._open[key] == 0 and not self._state.settings.switch("keep"):
            from pytest_pgrestore.session.control.finish import finish_one

            result = self._state.results.results().get(key)
            if result is not None:
                with self._state.term_signal.held():
                    finish_one(self._state, key, result)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember why the run ended early, and pass it on to xdist's workers."""
        self._state.term_signal.disarm()
        text = str(excinfo.value)
        self._interruption = f": {text}" if text else ""
        if self._state.opened:
            from pytest_pgrestore.session.control.worker import interrupt_workers

            interrupt_workers(self._state.run.root)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Tell the drill of a test whose xdist worker died: nothing was learned about its backup."""
        if self._state.opened:
            from pytest_pgrestore.session.control.worker import mark_crash

            mark_crash(self._state.run.root, report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker where the run's directory is."""
        if self._state.settings.path is None:
            return
        node.workerinput["pgrestore_key"] = self._state.redaction_key.hex()
        try:
            node.workerinput["pgrestore_root"] = str(self._state.run.root)
        except PgRestoreError as exc:
            node.workerinput["pgrestore_refusal"] = (exc.problem, exc.hint)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker found wrong with the tests it collected."""
        self._usage = getattr(node, "workeroutput", {}).get(USAGE, self._usage)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Remove the copies and write the reports; xdist's workers have ended by now."""
        self._finished = True
        if self._usage is not None:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        elif self._planned is not None:
            session.exitstatus = _status_of_plan(self._planned)
        if session.config.option.collectonly or self._planned is not None:
            self._state.discard()
            return
        if not self._state.opened and not self._state.settings.asked_for:
            return
        from pytest_pgrestore.session.control.finish import close

        self._closing = close(
            self._state, self._outcomes, int(session.exitstatus), self._interruption
        )
        session.exitstatus = self._closing.exit_status

    def pytest_unconfigure(self) -> None:
        """Do so too when the run was interrupted while it was set up: pytest then finishes no session."""
        if self._finished or self._interruption is None or not self._state.settings.asked_for:
            return
        from pytest_pgrestore.session.control.finish import close

        self._closing = close(
            self._state, self._outcomes, int(pytest.ExitCode.INTERRUPTED), self._interruption
        )

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Print the drills, and where the reports are."""
        if self._usage is not None:
            terminalreporter.write_line(f"ERROR: {self._usage}", red=True)
        if self._closing is None:
            return
        if self._closing.evidence is not None:
            from pytest_pgrestore.reports.terminal import lines

            terminalreporter.section("pgrestore")
            for line, verdict in lines(
                self._closing.evidence, config.get_terminal_writer().fullwidth
            ):
                terminalreporter.write_line(line, **_COLOURS.get(verdict, {}))
            self._print(
                config, [f"{name}: {path}" for name, path in (self._closing.paths or {}).items()]
            )
        self._print(config, [f"pgrestore: {remark}" for remark in self._closing.remarks])

    @staticmethod
    def _print(config: pytest.Config, lines: list[str]) -> None:
        terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
        for line in lines if terminal is not None else ():
            terminal.write_line(line)


def _status_of_plan(verdicts: list[Verdict]) -> int:
    if Verdict.FAILED in verdicts:
        return int(pytest.ExitCode.TESTS_FAILED)
    return COULD_NOT_VERIFY if verdicts else int(pytest.ExitCode.OK)
