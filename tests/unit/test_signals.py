"""The tests do not depend on how their shell treats signals."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.project import ROOT

SHOWS = "import signal; print([signal.getsignal(n) for n in (signal.SIGINT, signal.SIGQUIT)])"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOWS!r}])"


@pytest.mark.parametrize("ignored", ["INT", "QUIT", "INT QUIT"])
def test_a_background_job_heeds_ctrl_c_and_so_do_the_programs_it_starts(ignored: str) -> None:
    """A shell starts background jobs with both signals ignored, and a program inherits that."""
    code = f"import tests.conftest; {CHILD}"
    started = ["sh", "-c", f'trap "" {ignored}; exec "$@"', "sh", sys.executable, "-c"]

    plain = subprocess.run([*started, CHILD], capture_output=True, text=True, check=True, cwd=ROOT)
    ours = subprocess.run([*started, code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert "SIG_IGN" in plain.stdout
    assert "SIG_IGN" not in ours.stdout
