"""What test_command_line.py does not ask of the demo: that it ends cleanly, and does not mind where it is run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.system.process_table import processes_below
from pytest_pgrestore.system.waiting import wait_until
from tests.real.worlds import DEADLINE_SECONDS

DEMO = [sys.executable, "-c", "from pytest_pgrestore.cli.main import main; main()", "demo"]


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary directory of the demo's own."""
    directory = short_directory()
    yield directory
    shutil.rmtree(directory)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_an_interrupted_demo_leaves_no_server_behind(
    place: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """A newcomer who loses patience keeps a clean machine."""
    child = subprocess.Popen(
        DEMO,
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


def test_the_demo_does_not_mind_the_project_it_is_run_in(tmp_path: Path) -> None:
    """Settings and conftest.py of a directory above, and what the environment says to pytest, are not the demo's."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise SystemExit('the conftest.py above was loaded')\n")

    done = subprocess.run(
        DEMO,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_ADDOPTS": "--no-such-option-either", "PGRESTORE_RTO": "never"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS * 3,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_machine_without_programs_is_not_a_usage_error(tmp_path: Path) -> None:
    """Status 6, as for a drill run: the machine let us down, and the message says how to help it."""
    wheels = "import pytest_pgrestore.sandboxes.local.find_programs as b; b.WHEELS, b.SYSTEM_GLOBS = (), ()"
    argv = [
        sys.executable,
        "-c",
        f"{wheels}; from pytest_pgrestore.cli.main import main; main()",
        "demo",
    ]

    done = subprocess.run(
        argv,
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 6
    assert done.stderr.startswith("error: no PostgreSQL server programs found")
    assert "pytest-pgrestore[embedded]" in done.stderr
