"""A pytest run on hostile backups: in a process of its own, with hard limits, and what it left."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.real.runtimes import environment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.plugin.hostile.people import Person

DEADLINE_SECONDS = 90.0
"""A run that lasts longer hangs: it is killed."""

_ADDRESS_SPACE_BYTES = 3 << 30
_LARGEST_FILE_BYTES = 2 << 30
"""Limits for the sake of the machine: without the plugin's own, a bomb goes off here."""

MEMORY_KIB = 300 * 1024
"""What no process of the harness may have used at its peak."""

REPORTS = ("evidence.json", "junit.xml", "report.html", "summary.md")

_MEMORY = "memory."
"""Begins the names of the files in which the processes of a run leave their peaks."""

# Not wait4's ru_maxrss: after vfork and exec it is that of the tests' own process, which is larger.
_MEASURES = f'''
import os
import resource
from pathlib import Path

import pytest


@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    """Leave the peak memory of this process and of those it has started, in KiB."""
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak = max(int(line.split()[1]), children)
    Path(__file__).with_name(f"{_MEMORY}{{os.getpid()}}").write_text(str(peak))
'''

_INTERNAL = re.compile(r"INTERNALERROR|Traceback \(most recent call last\)")


@dataclass(frozen=True)
class Left:
    """What a run left.

    Attributes:
        status: Its exit status; negative for a signal.
        hung: Whether it had to be killed.
        peak_kib: Peak memory of its largest process; None if it ended without saying.
        texts: Its output and all files it wrote, by name.
        verdicts: Verdict of each source.
        failures: Message of each source's failure and checks.
    """

    status: int
    hung: bool
    peak_kib: int | None
    texts: Mapping[str, str]
    verdicts: Mapping[str, str]
    records: Mapping[str, Any]

    @property
    def output(self) -> str:
        """What it printed."""
        return self.texts["output"]

    def told(self, source: str) -> str:
        """Return the record of a source as text."""
        return json.dumps(self.records.get(source), ensure_ascii=False)

    def problem(self, source: str) -> str:
        """Return why the restore of a source failed; "" if it did not, or has no record."""
        failure = (self.records.get(source) or {}).get("failure") or {}
        return str(failure.get("problem", ""))

    def faults(self) -> list[str]:
        """Return a line for each thing that no run may do, whatever it was given."""
        found = [f"hung for {DEADLINE_SECONDS:g} s"] if self.hung else []
        found += [
            f"{name}: {match[0]}: {text[max(0, match.start() - 100) : match.end() + 1500]}"
            for name, text in self.texts.items()
            if (match := _INTERNAL.search(text)) and not name.endswith(".hand")
        ]
        found += [f"no {name}" for name in REPORTS if f"report/{name}" not in self.texts]
        if self.peak_kib is None and self.status >= 0:
            found.append("did not say how much memory it used")
        if self.peak_kib is not None and self.peak_kib > MEMORY_KIB:
            found.append(f"used {self.peak_kib // 1024} MiB")
        return found


def project(
    directory: Path, person: Person, sources: Mapping[str, str], tests: str, sandbox: str = ""
) -> None:
    """Write a project whose tests drill `sources` (the text of each one's table)."""
    tables = "".join(f"[sources.{name}]\n{text}\n" for name, text in sources.items())
    (directory / "pgrestore.toml").write_text(f"{tables}\n[sandbox]\n{sandbox}\n")
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "test_hostile.py").write_text(tests)
    (directory / "conftest.py").write_text(_MEASURES)
    person.own(directory)


def run(
    directory: Path,
    person: Person,
    runtime: str,
    *arguments: str,
    small: bool = False,
    meanwhile: Callable[[subprocess.Popen[bytes]], None] = lambda _: None,
) -> Left:
    """Run pytest on the project in `directory` as `person`; return what it left.

    Args:
        directory: Of the project.
        person: Who runs it.
        runtime: Kind of sandbox.
        arguments: More arguments of pytest.
        small: Whether the disk of the copies is a small one, which needs no limit for files.
        meanwhile: Called when the run has begun.
    """
    interpreter, env = person.python()
    temporary = directory.parent / "t"
    temporary.mkdir(mode=0o777)
    temporary.chmod(0o777)
    env = env | {"TMPDIR": str(temporary), "HOME": "/nonexistent"}
    limits = [f"--as={_ADDRESS_SPACE_BYTES}", "--core=0"]
    limits += [] if small else [f"--fsize={_LARGEST_FILE_BYTES}"]
    # One file of the run has no size limit of its own that matters: its output.
    with (directory / "output").open("wb") as output:
        child = subprocess.Popen(
            ["prlimit", *limits, *interpreter, *_PYTEST, *arguments],
            cwd=directory,
            env=os.environ | environment_of(runtime) | env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **person.identity(),
        )
        watched = os.pidfd_open(child.pid)
        meanwhile(child)
        hung = not select.select([watched], [], [], DEADLINE_SECONDS)[0]
        os.close(watched)
        if hung:
            os.killpg(child.pid, signal.SIGKILL)
        status = child.wait()
    return _left(directory, status, hung=hung)


_PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "--junitxml=pytest.xml")


def _left(directory: Path, status: int, *, hung: bool) -> Left:
    texts = {}
    reports = directory / "pgrestore-report"
    for path in (*directory.iterdir(), *reports.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.name.startswith("pgrestore.toml"):
            continue
        name = f"report/{path.relative_to(reports)}" if reports in path.parents else path.name
        texts[name] = path.read_bytes().decode(errors="backslashreplace")
    peaks = [int(text) for name, text in texts.items() if name.startswith(_MEMORY)]
    try:
        drills: Sequence[Any] = json.loads(texts["report/evidence.json"])["drills"]
    except (KeyError, ValueError):
        drills = ()
    return Left(
        status,
        hung,
        max(peaks, default=None),
        texts,
        {drill["source"]: drill["verdict"] for drill in drills},
        {drill["source"]: drill for drill in drills},
    )
