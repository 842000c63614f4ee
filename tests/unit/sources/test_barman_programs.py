"""How the Python of barman-cloud is found, and what is said if it cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.barman.cloud.scripts import BESIDE
from pytest_pgrestore.sources.barman.messages import failed
from pytest_pgrestore.system.process import Completed


def beside(program: str) -> Completed:
    """Ask the Python of `program` for a word."""
    argv = ["sh", "-c", BESIDE, program, "import sys; print('heard', sys.argv[1])", "a word"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "start",
    [
        "#!{python}\n",
        "#! /usr/bin/env python3\n",
        "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
    ],
    ids=["first-line", "env", "long-path", "path-with-space"],
)
def test_the_python_of_a_program(tmp_path: Path, start: str) -> None:
    """As pip and distributions write the first lines of a program."""
    program = tmp_path / "barman-cloud-backup-list"
    program.write_text(start.format(python=sys.executable))
    program.chmod(0o755)

    assert beside(str(program)).stdout == "heard a word\n"


def test_barman_without_barman_cloud() -> None:
    """Debian's package `barman` has no barman-cloud: no file lacks a permission."""
    error = failed(beside("barman-cloud-not-here"), "s3://x", "the catalogue could not be read")

    assert isinstance(error, HarnessError)
    assert "barman-cloud is not installed" in error.problem
    assert "barman-cloud-not-here" in error.problem
    assert "barman-cli-cloud" in error.hint


def test_a_wrapper(tmp_path: Path) -> None:
    """A script of the user's that runs barman-cloud elsewhere has no Python to ask."""
    program = tmp_path / "barman-cloud-backup-list"
    program.write_text("#!/bin/sh\nexec ssh backup barman-cloud-backup-list\n")
    program.chmod(0o755)

    error = failed(beside(str(program)), "s3://x", "the catalogue could not be read")

    assert isinstance(error, HarnessError)
    assert "wrapper" in error.problem
