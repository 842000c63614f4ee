"""xdist's workers: they end with their controller, and a test that took one down is still known by its drill."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import IS_DRILL_CHECK, REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.session.drill_session import DrillSession

_DIED = "the xdist worker that ran this died"


class Worker:
    """Hooks of an xdist worker.

    Args:
        state: The run's drills.
    """

    def __init__(self, state: DrillSession) -> None:
        self._state = state

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Ask the kernel for a SIGTERM when the controller ends: xdist's own worker sees it 5 to 15 seconds later."""
        if self._state.settings.asked_for:
            from pytest_pgrestore.system.process import die_with_parent

            die_with_parent(parent=os.getppid())()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write down which test belongs to which drill: a report of a crash does not say."""
        from pytest_pgrestore.system.atomic_file import write_atomically
        from pytest_pgrestore.system.process_table import start_time

        root = (self._state.worker_input or {}).get("pgrestore_root")
        tests = {
            item.nodeid: (item.stash[REQUEST].drill.key, item.stash.get(IS_DRILL_CHECK, False))
            for item in session.items
            if REQUEST in item.stash
        }
        if root is None or not tests:
            return
        pid = os.getpid()
        note = {"pid": pid, "started": start_time(pid), "tests": tests}
        write_atomically(Path(root) / f"worker-{pid}.json", json.dumps(note))

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Be interrupted once: the controller may pass on what the terminal sent already."""
        self._state.term_signal.disarm()


def install(config: pytest.Config) -> None:
    """Register the hooks of a worker."""
    config.pluginmanager.register(Worker(config.stash[SESSION]), "pgrestore-worker")


def mark_crash(root: Path, report: pytest.TestReport) -> None:
    """Put on the report of a test whose worker died that its drill could not be verified.

    Nothing is said of a test that belongs to no drill: for that one a crash is an ordinary failure.
    """
    from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE

    known = next(
        (note["tests"][report.nodeid] for note in _notes(root) if report.nodeid in note["tests"]),
        None,
    )
    if known is None:
        return
    key, own = known
    outcome = {
        "name": report.nodeid,
        "verdict": str(Verdict.COULD_NOT_VERIFY),
        "message": _DIED,
        "seconds": 0.0,
    }
    vars(report)[ATTRIBUTE] = {"drills": [key], "outcome": None if own else outcome, "lost": own}


def interrupt_workers(root: Path) -> None:
    """Send SIGTERM to the workers of an interrupted run, which otherwise go on for five seconds."""
    from pytest_pgrestore.system.process_table import start_time

    for note in _notes(root):
        if start_time(note["pid"]) == note["started"]:
            os.kill(note["pid"], signal.SIGTERM)


def _notes(root: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(root.glob("worker-*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))
