"""The nights that each recipe must tell apart, and how a run of one ended."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from junitparser import JUnitXml

from pytest_pgrestore.cli.init.ci import RECIPES
from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.store import DirectoryStore
from tests.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES = ROOT / "examples" / "ci"
ROWS = 1000
"""What the example expects of `orders`, and a few more are there."""

_CALLS = """
    import os
    import signal
    from pathlib import Path

    import pytest

    @pytest.mark.pgrestore("shop")
    def test_hangs(pgrestore_conn):
        {act}
        pgrestore_conn.execute("select pg_sleep(600)")
"""

_PASSED = """
        # What `timeout` does when its time has passed.
        os.kill(os.getppid(), signal.SIGALRM)
"""

_KILLED = """
        os.kill(os.getpid(), signal.SIGKILL)
"""

_ALL_KILLED = """
        limit = os.getppid()
        script = int(Path(f"/proc/{limit}/stat").read_text().rpartition(")")[2].split()[1])
        for process in (script, limit, os.getpid()):
            os.kill(process, signal.SIGKILL)
"""


@dataclass(frozen=True)
class Night:
    """What happens, and how it must end.

    Attributes:
        status: The exit status that the dead man's switch is told; None for `fail`.
        failures: Whether cases of the kept JUnit file have a failure.
        errors: Whether cases have an error.
        says: A part of their messages.
        backup: Name of the file that is restored.
        replaced: Text of the settings or of the drill that is another, and the other.
        without_drill: The project has no drill.
        test: A Python test beside the drill file.
    """

    status: int | None
    failures: bool = False
    errors: bool = False
    says: str = ""
    backup: str = "shop.dump"
    replaced: tuple[str, str] = ("", "")
    without_drill: bool = False
    test: str = ""

    @property
    def remembered(self) -> bool:
        """Whether the history has the run: one that broke off is not in it."""
        return self.status in {0, 1, 2, 6}

    @property
    def told(self) -> str:
        """How the ping ends."""
        return "fail" if self.status is None else str(self.status)


NIGHTS: Mapping[str, Night] = {
    "green": Night(0),
    "failed assertion": Night(
        1, failures=True, says="orders are there", replaced=(">= 1000", ">= 100000000")
    ),
    "cut dump": Night(1, failures=True, errors=True, says="cut short", backup="cut.dump"),
    "misconfigured": Night(
        4, errors=True, says="usage error", replaced=('database = "shop"', 'databsae = "shop"')
    ),
    "timeout": Night(2, errors=True, says="interrupted", test=_CALLS.format(act=_PASSED)),
    "nothing ran": Night(6, errors=True, says="no drill", without_drill=True),
    "pytest killed": Night(137, errors=True, says="not ended", test=_CALLS.format(act=_KILLED)),
    "all killed": Night(None, errors=True, says="not ended", test=_CALLS.format(act=_ALL_KILLED)),
}
"""By name. `says` is looked for in what the JUnit file says."""


@dataclass(frozen=True)
class Ended:
    """A run of a recipe.

    Attributes:
        status: Of the runner, which may know 0 and 1 only.
        output: Of the runner.
        reports: The directory of the reports that it kept.
        history: The directory of the history that it kept.
        pings: What the dead man's switch heard.
    """

    status: int
    output: str
    reports: Path
    history: Path
    pings: list[str] = field(default_factory=list)

    def assert_as(self, night: Night) -> None:
        """Compare with what must have happened; the runner's own status is left to the caller."""
        assert self.pings == ["start", night.told], self.output
        assert (self.reports / "junit.xml").exists(), self.output
        suites = JUnitXml.fromfile(str(self.reports / "junit.xml"))
        assert bool(suites.failures) == night.failures, self.output
        assert bool(suites.errors) == night.errors, self.output
        assert night.says in (self.reports / "junit.xml").read_text(), self.output
        past = Ledger(DirectoryStore(self.history)).read()
        assert (len(past.entries), past.problems) == (night.remembered, ()), self.output


def write_project(directory: Path, recipe: str, night: Night) -> None:
    """Write a project as a user has it: settings, drill, recipe, in a repository of git."""
    directory.mkdir()
    for path in EXAMPLES.glob("*.toml"):
        shutil.copy(path, directory)
    for path in directory.glob("*.toml"):
        text = path.read_text()
        # These machines cannot confine in full, and root's pytest drops to another user anyway.
        text = text.replace('confine = "required"', 'confine = "auto"')
        path.write_text(text.replace(*night.replaced) if night.replaced[0] else text)
    if night.without_drill:
        (directory / "drill_shop.toml").unlink()
    if night.test:
        (directory / "test_hangs.py").write_text(night.test.replace("\n    ", "\n"))
    for name, text in RECIPES[recipe](directory).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    identity = ["-c", "user.email=drill@example.com", "-c", "user.name=drill"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *identity, *arguments], cwd=directory, check=True)


def python_for(directory: Path, *, installs: bool) -> Path:
    """Make a directory for PATH with the `python3` of these tests.

    Args:
        directory: Where.
        installs: Whether a virtual environment is new. Otherwise it is a link to the one of these
            tests: to install everything takes four times as long as the drill.
    """
    program = directory / "python3"
    link = (
        'if [ "$1 $2" = "-m venv" ]; then\n'
        '    for place in "$@"; do :; done\n'
        f"    exec ln -sfn '{sys.prefix}' \"$place\"\n"
        "fi\n"
    )
    python = Path(sys.base_prefix) / "bin" / "python3"
    program.write_text(f"#!/bin/sh\n{'' if installs else link}exec '{python}' \"$@\"\n")
    program.chmod(0o755)
    return directory
