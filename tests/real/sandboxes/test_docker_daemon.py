"""A Docker daemon that is absent, hangs or goes away: could not verify, in one sentence."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon import client
from pytest_pgrestore.sandboxes.docker.run import DockerRun
from pytest_pgrestore.sandboxes.settings import DockerSettings
from tests.real.sandboxes.docker_server import MAJOR

NOWHERE = "unix:///nonexistent/docker.sock"


def test_an_absent_daemon_is_one_sentence(
    volume_settings: DockerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most common trouble of all."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)

    with pytest.raises(HarnessError) as refused:
        DockerRun.open(volume_settings, "x")

    assert "no Docker daemon answers there" in refused.value.problem
    assert 'runtime = "local"' in refused.value.hint
    assert "\n" not in refused.value.problem
    del refused
    gc.collect()  # a socket that docker-py left open would warn here


def test_a_hanging_daemon_is_given_up(
    volume_settings: DockerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts the connection and never answers."""
    monkeypatch.setattr(client, "CALL_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{silent.getsockname()[1]}")

        with pytest.raises(HarnessError, match="did not answer within 1 s"):
            DockerRun.open(volume_settings, "x")
    gc.collect()


def test_a_daemon_that_is_gone_before_a_container_is_one_sentence(
    open_run: Callable[..., DockerRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library asks for the daemon's version before it starts a container."""
    run = open_run()
    programs = run.find_programs(MAJOR)
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)

    with pytest.raises(
        HarnessError,
        match=r"starting a container of image .* failed: no Docker daemon answers there",
    ):
        run.sandbox("shop@latest", programs)
