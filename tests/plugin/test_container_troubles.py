"""A container in trouble during a whole run: could not verify, and the reports say why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.verdict import Verdict
from tests.plugin.conftest import Drills, World, removed
from tests.real.runtimes import environment_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.long  # in containers

COUNTS = """
    import pytest

    @pytest.mark.pgrestore("shop")
    def test_orders(pgrestore_conn):
        assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (0,)
"""
GREEDY = """
    import pytest

    @pytest.mark.pgrestore("shop")
    def test_orders(pgrestore_conn):
        pgrestore_conn.execute(
            "select cardinality(array_agg(repeat('x', 1000) || i))"
            " from generate_series(1, 1000000) i"
        )
"""


@pytest.fixture
def contained(
    pytester: pytest.Pytester, world: World, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Drills]:
    """A project whose drills run in containers, with more settings of the sandbox."""

    def _contained(sandbox: str) -> Drills:
        for name, value in environment_of("docker").items():
            monkeypatch.setenv(name, value)
        drills = Drills(pytester, world)
        drills.settings(f"[sandbox]\n{sandbox}\n")
        return drills

    return _contained


def test_memory_that_runs_out_is_not_the_backups_fault(contained: Callable[[str], Drills]) -> None:
    """The kernel kills the server under an assertion: the report says so, with Docker's message."""
    drills = contained('memory = "160m"')
    drills.write(test_a=GREEDY)

    result = drills.run()

    assert result.ret == 6, result.stdout.str()
    record = drills.record("shop@latest")
    assert record.verdict() is Verdict.COULD_NOT_VERIFY
    told = " ".join(check.message for check in record.checks)
    assert "the container ran out of its memory limit of 160m" in told
    assert removed(record)
    saved = (
        drills.pytester.path
        / "pgrestore-report"
        / next(name for name in record.logs if "container" in name)
    )
    assert json.loads(saved.read_text())["ProcessesKilledForMemory"] > 0


def test_enough_memory_is_enough(contained: Callable[[str], Drills]) -> None:
    """The twin: the same limit, and a test that keeps to it."""
    drills = contained('memory = "160m"')
    drills.write(test_a=COUNTS)

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    server = drills.record("shop@latest").server
    assert server is not None
    assert server.sandbox.startswith("docker, storage tmpfs, as user ")
    assert "sha256:" in server.binaries
    assert server.network.startswith("cut: a container without network")


def test_no_daemon_is_could_not_verify(
    contained: Callable[[str], Drills], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, and the way out."""
    drills = contained("")
    drills.write(test_a=COUNTS)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")

    result = drills.run()

    assert result.ret == 6
    problems = " ".join(drills.evidence().problems)
    assert "no Docker daemon answers there" in problems
    assert 'runtime = "local"' in problems


def test_an_image_without_a_server_is_could_not_verify(contained: Callable[[str], Drills]) -> None:
    """The user's own image, and the wrong one."""
    drills = contained('image = "pgrestore-test-base:17"')
    drills.write(test_a=COUNTS)

    result = drills.run()

    assert result.ret == 6
    failure = drills.record("shop@latest").failure
    assert failure is not None
    assert failure.problem == "image pgrestore-test-base:17 has no PostgreSQL server"


def test_a_port_works_for_a_whole_run(contained: Callable[[str], Drills]) -> None:
    """Base backup and dump; and the reports say that the network was not cut."""
    drills = contained('connect_by = "port"')
    drills.write(
        test_a=COUNTS,
        test_b="""
            import pytest

            @pytest.mark.pgrestore("export")
            def test_orders(pgrestore_conn):
                assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (100,)
        """,
    )

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    for key in ("shop@latest", "export@latest"):
        record = drills.record(key)
        assert record.server is not None
        assert record.server.network.startswith("NOT cut")
        assert any("reached the network" in text for text in record.not_checked)
        assert removed(record)
