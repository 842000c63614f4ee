"""Runs that are killed, and what is left of them: watched from outside, in files and in /proc."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.docker.daemon import removal
from pytest_pgrestore.sandboxes.docker.daemon.client import connect
from pytest_pgrestore.system.process_table import processes_below
from pytest_pgrestore.system.waiting import wait_until
from tests.plugin.conftest import evidence_in
from tests.plugin.processes import (
    DYNAMIC_MEMORY,
    children,
    command,
    descendants,
    everybody,
    opened_by,
    segments,
    session_of,
)
from tests.real.runtimes import environment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.evidence import Evidence
    from tests.plugin.conftest import World

DEADLINE_SECONDS = 60.0
PHASES = (
    "begin",
    "locate",
    "provision",
    "fetch",
    "verify",
    "configure",
    "start",
    "replay",
    "promote",
    "ready",
    "test",
    "teardown",
    "report",
)
LAST = ("teardown", "report")
UNENDED = "has not ended"
"""Words of the reports that a run begins with."""

"""Phases in which every test has ended already."""

TESTS = """
import os
import select
from pathlib import Path

import pytest

pytestmark = pytest.mark.pgrestore("shop")

def test_first(pgrestore_conn):
    assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (0,)

def test_waits(pgrestore_conn):
    go = os.open("go", os.O_RDONLY | os.O_NONBLOCK)
    Path("waiting.new").write_text(str(os.getpid()))
    Path("waiting.new").rename("waiting")
    assert select.select([go], [], [], 300)[0]
    os.close(go)
    assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (0,)
    Path("tested").touch()
"""


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        runtime: Kind of sandbox of the run.
        where: The process: ``plain`` for the only one of a run, ``controller`` or ``worker``.
        phase: When.
        number: The signal.
    """

    runtime: str
    where: str
    phase: str
    number: signal.Signals

    def __str__(self) -> str:
        """Return a name for messages."""
        return f"{self.runtime} {self.where} {self.phase} {self.number.name}"


class Project:
    """A run of pytest in a directory of its own, as a process.

    Args:
        directory: It is made.
        world: The backups.
        place: The directory for copies.
        runtime: Kind of sandbox.
    """

    def __init__(self, directory: Path, world: World, place: Path, runtime: str = "local") -> None:
        self.directory = directory
        self.runtime = runtime
        self.base = place / f"pgrestore-{os.geteuid()}"
        directory.mkdir()
        os.mkfifo(directory / "go")
        self._go: int | None = None
        (directory / "pytest.ini").write_text("[pytest]\n")
        (directory / "test_shop.py").write_text(TESTS)
        (directory / "pgrestore.toml").write_text(
            world.settings(f'[sandbox]\ndirectory = "{place}"\n')
        )
        self._root: Path | None = None
        self._memory: set[str] = set()

    def start(self, *args: str) -> None:
        """Start it."""
        with (self.directory / "output").open("w") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
                cwd=self.directory,
                env=os.environ | environment_of(self.runtime),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def go(self) -> None:
        """Let the test that waits end, or not wait at all if it has not begun.

        What is written stays in the pipe as long as one end is open (pipe(7)).
        """
        if self._go is None:
            self._go = os.open(self.directory / "go", os.O_RDWR)
            os.write(self._go, b"go")

    @property
    def output(self) -> str:
        """Its output so far."""
        return (self.directory / "output").read_text()

    @property
    def root(self) -> Path | None:
        """The run's directory, an argument of its watchdog; None before there is a watchdog."""
        if self._root is None:
            for pid in children(self.child.pid):
                words = command(pid).split()
                if watchdog.__name__ in words:
                    self._root = Path(words[-2])
        return self._root

    def evidence(self) -> Evidence:
        """Return the evidence it wrote."""
        return evidence_in(self.directory)

    def reached(self, phase: str) -> bool:
        """Return whether it has come to `phase`, or further."""
        root = self.root
        if phase == "teardown":
            return (self.directory / "tested").exists()
        if phase == "report":
            reports = self.directory / "pgrestore-report"
            # At its start the reports are written, too: then there is no watchdog yet.
            return root is not None and any(
                path.is_file() and UNENDED not in path.read_text() for path in reports.glob("*")
            )
        if phase == "test":
            return (self.directory / "waiting").exists()
        if root is None:
            return False
        signs: dict[str, Callable[[], bool]] = {
            "begin": lambda: some(root.parent, f"*{root.name}"),
            "locate": lambda: some(root, "state/*.json"),
            "provision": lambda: some(root, "drills/*"),
            "fetch": lambda: some(root, "drills/*/data/*") or some(root, "copies/*/data/*"),
            "verify": lambda: self._runs("pg_verifybackup") or signs["configure"](),
            "configure": lambda: some(root, "drills/*/carried") or some(root, "copies/*/carried"),
            "start": lambda: some(root, "drills/*/logs/*"),
            "replay": lambda: said(root, "redo starts"),
            "promote": lambda: said(root, "redo done"),
            "ready": lambda: said(root, "ready to accept connections"),
        }
        return signs[phase]()

    def _runs(self, program: str) -> bool:
        return any(
            command(pid).partition(" ")[0].endswith(program) for pid in descendants(self.child.pid)
        )

    def worker(self, phase: str) -> int:
        """Return the process id of the xdist worker that restores or runs the test that waits.

        If there is none, the id of any worker.
        """
        if phase == "test":
            return int((self.directory / "waiting").read_text())
        workers = [pid for pid in children(self.child.pid) if watchdog.__name__ not in command(pid)]
        busy = [
            pid for pid in workers if any(path.parent.name == "state" for path in opened_by(pid))
        ]
        joined = [pid for pid in workers if any(path.name == "run.lock" for path in opened_by(pid))]
        return (busy or joined or workers)[0]

    def note_memory(self) -> None:
        """Note the shared memory of the processes below the run's directory, and of no others."""
        pids = set(processes_below(self._root)) if self._root is not None else set()
        self._memory |= {name for name, creator in segments().items() if creator in pids}
        for pid in pids:
            try:
                lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
            except OSError:
                continue
            self._memory |= {line.split()[5] for line in lines if DYNAMIC_MEMORY in line}

    def remains(self) -> list[str]:
        """Return a line for each thing that is left of it."""
        self.note_memory()
        found = [
            f"process {pid}: {command(pid)}"
            for pid in everybody()
            if session_of(pid) == self.child.pid
        ]
        if self._root is not None:
            half = self._root.with_name(f".{self._root.name}")
            found += [str(path) for path in (self._root, half) if path.exists()]
            found += [
                f"process {pid}: {command(pid)}"
                for pid in everybody()
                if str(self._root) in command(pid)
            ]
            found += [f"process {pid} stands in it" for pid in processes_below(self._root)]
        if self._root is not None and self.runtime == "docker":
            found += [f"docker {identity}" for identity in labelled(self._root.name)]
        there = segments()
        return found + [name for name in self._memory if name in there or Path(name).exists()]

    def finish(self) -> None:
        """End it, if it runs: a test may have failed before."""
        if self._go is not None:
            os.close(self._go)
        if not hasattr(self, "child"):
            return
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


def kill(project: Project, wanted: Kill) -> int:
    """Start `project`, kill it as wanted, and return its exit status."""
    if wanted.phase != "test":
        project.go()
    project.start(*([] if wanted.where == "plain" else ["-n2"]))
    until(
        lambda: project.reached(wanted.phase) or project.child.poll() is not None,
        f"phase of {wanted}",
        sleep=a_millisecond,
    )
    assert project.root is not None, project.output
    try:
        if wanted.where == "worker":
            os.kill(project.worker(wanted.phase), wanted.number)
            project.go()
        elif wanted.number == signal.SIGINT:
            os.killpg(project.child.pid, wanted.number)
        else:
            os.kill(project.child.pid, wanted.number)
    except (ProcessLookupError, IndexError):
        assert wanted.phase in LAST, f"{wanted} came too late: {project.output}"
    project.note_memory()
    return project.child.wait(DEADLINE_SECONDS)


def labelled(run_id: str) -> list[str]:
    """Return the containers and volumes of a run, in whatever state."""
    api = connect().client.api
    label = {"label": f"{removal.RUN}={run_id}"}
    containers = [str(entry["Id"]) for entry in api.containers(all=True, filters=label)]
    return containers + [
        str(volume["Name"]) for volume in api.volumes(filters=label)["Volumes"] or []
    ]


def until(
    done: Callable[[], bool], what: str, *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Wait until `done` returns True, or the deadline passes."""
    wait_until(done, what=what, timeout_seconds=DEADLINE_SECONDS, sleep=sleep)


def a_millisecond(_seconds: float) -> None:
    """Pause between two looks at a run: some phases are short, and nothing announces them."""
    time.sleep(0.001)


def some(root: Path, pattern: str) -> bool:
    """Return whether any path below `root` matches."""
    return any(True for _ in root.glob(pattern))


def said(root: Path, words: str) -> bool:
    """Return whether the log of a server of the run has these words."""
    try:
        return any(words in path.read_text() for path in root.glob("drills/*/logs/*"))
    except OSError:
        return True  # removed already
