"""xdist's workers: they end with their controller, and a test that kills one keeps its drill."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import INPUT_ROOT, IS_DRILL_CHECK, REQUEST, keys_of_drills

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.session.drill_session import DrillSession

_DIED = "the xdist worker that ran this died"
"""Message of a test whose worker died."""


class Worker:
    """Hooks of an xdist worker.

    Args:
        state: The run's drills.
    """

    def __init__(self, state: DrillSession) -> None:
        self._state = state
        self._tests: dict[str, tuple[list[str], bool]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Let the kernel send SIGTERM when the controller ends.

        A worker of xdist (3.8) notices that by itself 5 to 15 seconds later.
        """
        if self._state.settings.asked_for:
            from pytest_pgrestore.system.process import die_with_parent

            die_with_parent(parent=os.getppid())()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write a file with the drill of each test: the report of a crash does not hold it."""
        self._tests = {
            item.nodeid: (keys_of_drills(item), item.stash.get(IS_DRILL_CHECK, False))
            for item in session.items
            if REQUEST in item.stash
        }
        self._write_note({})

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Ignore later signals: terminal and controller may both send one.

        Add the drills of the test that did not end: those asked for on demand are not noted yet.
        """
        from pytest_pgrestore.session.outcomes.outcomes import drills_of

        self._state.term_signal.disarm()
        item = self._state.fixture_usage.current
        if item is not None:
            self._write_note({item.nodeid: sorted(drills_of(item))})

    def _write_note(self, ended: dict[str, list[str]]) -> None:
        """Write the drill of each test, and the drills of the test that did not end."""
        from pytest_pgrestore.system.atomic_file import write_atomically
        from pytest_pgrestore.system.process_table import start_time

        root = self._state.worker_input.get(INPUT_ROOT)
        if root is None or not Path(root).is_dir():
            return
        pid = os.getpid()
        note = {"pid": pid, "started": start_time(pid), "tests": self._tests, "ended": ended}
        write_atomically(Path(root) / f"worker-{pid}.json", json.dumps(note))


def install(config: pytest.Config) -> None:
    """Register the hooks of a worker."""
    config.pluginmanager.register(Worker(config.stash[SESSION]), "pgrestore-worker")


def mark_crash(root: Path, report: pytest.TestReport) -> None:
    """Attach to the report of a test whose worker died that its drill could not be verified.

    The report of a test that belongs to no drill stays as it is: an ordinary failure.
    """
    from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE

    tests: dict[str, tuple[list[str], bool]] = {}
    for note in _notes(root):
        tests |= note["tests"]
    if report.nodeid not in tests:
        return
    keys, own = tests[report.nodeid]
    outcome = {
        "name": report.nodeid,
        "verdict": str(Verdict.COULD_NOT_VERIFY),
        "message": _DIED,
        "seconds": 0.0,
    }
    vars(report)[ATTRIBUTE] = {"drills": keys, "outcome": None if own else outcome, "lost": own}


def tests_of_workers(root: Path) -> dict[str, set[str]]:
    """Return the drills of each test of the user's that workers were to run, by its node id."""
    found: dict[str, set[str]] = {}
    for note in _notes(root):
        for name, (keys, own) in note["tests"].items():
            if not own:
                found.setdefault(name, set()).update(keys)
        for name, keys in note["ended"].items():
            found.setdefault(name, set()).update(keys)
    return found


def interrupt_workers(root: Path) -> None:
    """Send SIGTERM to the workers of an interrupted run; xdist lets them run for 5 seconds."""
    from pytest_pgrestore.system.process_table import start_time

    for note in _notes(root):
        if start_time(note["pid"]) == note["started"]:  # else the kernel has given the id again
            os.kill(note["pid"], signal.SIGTERM)


def _notes(root: Path) -> Iterator[dict[str, Any]]:
    """Yield what each worker wrote: "pid", "started", "tests" and "ended" by node id."""
    for path in sorted(root.glob("worker-*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))
