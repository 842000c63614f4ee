"""Children that a test forks: the run is their parent's, ends without them, and leaves them be."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from pytest_pgrestore.system.process_table import start_time
from tests.plugin.conftest import removed

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)
"""What a child inherits is pytest's, whatever the sandbox."""

TESTS = """
    import multiprocessing, os, signal, time
    import pytest

    pytestmark = pytest.mark.pgrestore("shop")

    def lives(connection):
        assert connection.execute("select 1").fetchone() == (1,)

    def test_a_pool(pgrestore_conn):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(abs, [-1, 2]) == [1, 2]
        lives(pgrestore_conn)

    @pytest.mark.parametrize("leave", [lambda: exit(3), lambda: 1 / 0, lambda: None])
    def test_a_child_that_leaves_its_test(pgrestore_conn, leave):
        pid = os.fork()
        if pid == 0:
            leave()
            return
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in (3, 1, 0)
        lives(pgrestore_conn)

    def test_a_child_that_is_ended(pgrestore_conn):
        ready, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(theirs, b"x")
            signal.pause()
        os.read(ready, 1)
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM

    def test_a_child_that_lives_on(pgrestore_conn):
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
        with open("child", "w") as stream:
            stream.write(str(pid))

    def test_the_copy_is_still_there(pgrestore_conn):
        lives(pgrestore_conn)
"""


def test_children_neither_end_the_run_nor_keep_it(drills: Drills) -> None:
    """They took its SIGTERM handler, its pipe to the watchdog, and its end of session."""
    drills.write(test_a=TESTS)

    result = drills.run()
    child = int((drills.pytester.path / "child").read_text())
    started = start_time(child)
    if started is not None:
        os.kill(child, signal.SIGKILL)

    assert result.ret == 0
    assert started is not None  # the run did not wait for it
    result.assert_outcomes(passed=7 + len(drills.record("shop@latest").checks_planned))
    assert removed(drills.record("shop@latest"))
    assert len(drills.outcomes()) == 7
