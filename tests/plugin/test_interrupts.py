"""Ctrl-C and SIGTERM: the copies go, the reports are written, the exit status is 2."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.session.control.unfinished import BEGUN, NOT_BEGUN
from pytest_pgrestore.system.waiting import wait_until
from tests.plugin.conftest import removed

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

pytestmark = pytest.mark.long  # each starts and ends a whole run

DEADLINE_SECONDS = 120

WAITS = """
    from pathlib import Path

    import pytest

    pytestmark = pytest.mark.pgrestore("shop")

    def test_first(pgrestore_conn):
        Path("first").write_text("done")

    def test_waits(pgrestore_instance, pgrestore_conn):
        Path("directory.new").write_text(pgrestore_instance.access.socket_directory)
        Path("directory.new").rename("directory")
        pgrestore_conn.execute("select pg_sleep(300)")

    def test_last(pgrestore_conn):
        assert pgrestore_conn
"""

ON_DEMAND = """
    from pathlib import Path

    import pytest

    @pytest.fixture
    def shop(pgrestore):
        return pgrestore.restore("shop")

    def test_waits(shop):
        Path("directory.new").write_text(shop.access.socket_directory)
        Path("directory.new").rename("directory")
        with shop.connect() as connection:
            connection.execute("select pg_sleep(300)")
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

    status, output = interrupted(drills, workers, number, group=group)

    assert status == 2, output
    assert not Path((drills.pytester.path / "directory").read_text()).exists()
    evidence = drills.evidence()
    assert evidence.problems[0].startswith("the run was interrupted")
    assert evidence.verdict() == "could not verify"
    (record,) = evidence.drills
    assert record.failure is None
    assert removed(record)


@pytest.mark.parametrize("text", [WAITS, ON_DEMAND], ids=["marker", "on demand"])
def test_an_assertion_that_did_not_end_is_no_passed_one(
    drills: Drills, workers: list[str], text: str
) -> None:
    """A view that sleeps would else leave a drill that passed, without the assertion."""
    drills.write(test_waits=text)

    _, output = interrupted(drills, workers, signal.SIGTERM, group=False)

    record = drills.record("shop@latest")
    assert record.verdict() == "could not verify", output
    outcomes = drills.outcomes()
    assert outcomes["test_waits"] == ("could not verify", BEGUN)
    if text == WAITS and not workers:
        assert outcomes["test_first"] == ("passed", "")
        assert outcomes["test_last"] == ("could not verify", NOT_BEGUN)
    junit = (drills.reports / "junit.xml").read_text()
    assert "test_waits" in junit
    assert BEGUN in junit


def test_tests_that_an_early_end_left_out_are_no_passed_ones(drills: Drills) -> None:
    """After -x the drill has no word of them: its copy was restored, and never asked."""
    drills.write(
        test_a="""
            import pytest

            @pytest.mark.pgrestore("shop")
            def test_a(pgrestore_conn): assert pgrestore_conn

            def test_b():
                assert False

            @pytest.mark.pgrestore("shop")
            def test_c(pgrestore_conn): assert pgrestore_conn
        """
    )

    result = drills.run("-x")

    assert result.ret == 1
    assert drills.outcomes() == {
        "test_a": ("passed", ""),
        "test_c": ("could not verify", NOT_BEGUN),
    }


def interrupted(drills: Drills, workers: list[str], number: int, *, group: bool) -> tuple[int, str]:
    """Interrupt a run while its test waits; return its exit status and output."""
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
    return status, (here / "output").read_text()


def test_the_handler_of_somebody_else_is_put_back(drills: Drills) -> None:
    """The process that runs pytest may go on: IDEs, embedding scripts."""
    drills.write(
        test_a='import pytest\n@pytest.mark.pgrestore("shop")\n'
        "def test_a(pgrestore_conn): assert pgrestore_conn"
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
