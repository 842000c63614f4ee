"""Ctrl-C and SIGTERM: the copies go, the reports are written, the exit status is 2."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.system.waiting import wait_until
from tests.plugin.conftest import removed

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

DEADLINE_SECONDS = 120

WAITS = """
    import threading
    from pathlib import Path

    import pytest

    pytestmark = pytest.mark.pgrestore("shop")

    def test_first(pgrestore_conn):
        Path("first").write_text("done")

    def test_waits(pgrestore_instance):
        Path("directory.new").write_text(pgrestore_instance.access.socket_directory)
        Path("directory.new").rename("directory")
        threading.Event().wait(300)
"""


@pytest.mark.everywhere
@pytest.mark.parametrize(
    ("number", "group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True)],
    ids=["Ctrl-C", "SIGTERM", "SIGTERM to all"],
)
def test_an_interrupted_run_cleans_up_and_reports(
    drills: Drills, workers: list[str], number: int, group: bool
) -> None:
    """CI systems, Kubernetes and systemd end a job by SIGTERM, people by Ctrl-C."""
    drills.write(test_waits=WAITS)
    here = drills.pytester.path
    with (here / "output").open("w") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *workers],
            cwd=here,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until(
                lambda: (here / "directory").exists() or child.poll() is not None,
                what="the second test",
                timeout_seconds=DEADLINE_SECONDS,
            )
            (os.killpg if group else os.kill)(child.pid, number)
            status = child.wait(DEADLINE_SECONDS)
        finally:
            child.kill()
            child.wait()

    assert status == 2, (here / "output").read_text()
    assert not Path((here / "directory").read_text()).exists()
    evidence = drills.evidence()
    assert evidence.problems[0].startswith("the run was interrupted")
    assert evidence.verdict() == "could not verify"
    (record,) = evidence.drills
    assert record.failure is None
    assert removed(record)


def test_the_handler_of_somebody_else_is_put_back(drills: Drills) -> None:
    """The process that runs pytest may go on: IDEs, embedding scripts."""
    drills.write(
        test_a='import pytest\n@pytest.mark.pgrestore("shop")\ndef test_a(pgrestore_conn): pass'
    )
    script = drills.pytester.path / "script.py"
    script.write_text(
        "import signal, sys, pytest\n"
        "mine = lambda *_: None\n"
        "signal.signal(signal.SIGTERM, mine)\n"
        "assert pytest.main(['-p', 'no:cacheprovider']) == 0\n"
        "assert signal.getsignal(signal.SIGTERM) is mine\n"
    )

    done = subprocess.run(
        [sys.executable, script],
        cwd=drills.pytester.path,
        timeout=DEADLINE_SECONDS,
        check=False,
        capture_output=True,
    )

    assert done.returncode == 0, done.stdout


SWALLOWS = """
    import gc, os, signal, threading

    import pytest

    class Finalised:
        def __del__(self):
            os.kill(os.getpid(), signal.NUMBER)
            for _ in range(1000):
                pass

    @pytest.mark.pgrestore("shop")
    def test_waits(pgrestore_instance):
        gone = Finalised()
        del gone
        threading.Event().wait(300)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_an_interruption_that_python_swallows_is_not_lost(drills: Drills, name: str) -> None:
    """Python drops what a finalizer raises; the job would go on until it is killed.

    Source: Python, "Data model", object.__del__.
    """
    drills.write(test_swallows=SWALLOWS.replace("NUMBER", name))

    result = drills.pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", timeout=DEADLINE_SECONDS
    )

    assert result.ret == 2
    assert removed(drills.record("shop@latest"))
