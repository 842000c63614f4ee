"""Nothing of a docker sandbox is left, however its run ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pgrestore.cli.clean import clean_up
from pytest_pgrestore.sandboxes.docker.daemon import image as images
from pytest_pgrestore.sandboxes.docker.daemon import removal
from pytest_pgrestore.sandboxes.docker.daemon.client import Engine, boot_identity
from pytest_pgrestore.sandboxes.docker.run import DockerRun, sweep
from pytest_pgrestore.sandboxes.settings import DockerSettings
from pytest_pgrestore.system.waiting import wait_until
from tests.project import ROOT
from tests.real.sandboxes.docker_server import DEADLINE, MAJOR, ask, empty_server, left_of

RUNS_AWAY = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from tests.real.runtimes import docker_settings
from tests.real.sandboxes.docker_server import ask, empty_server
from pytest_pgrestore.sandboxes.docker.run import DockerRun
run = DockerRun.open(docker_settings(Path({place!r}), storage={storage!r}), "child")
ask(empty_server(run), "select 1")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("storage", ["volume", "bind"])
def test_the_kernel_ends_the_container_of_a_killed_run(
    engine: Engine, volume_settings: DockerSettings, storage: str
) -> None:
    """After SIGKILL only the kernel's lock and the daemon can clean up."""
    here = str(ROOT)
    text = RUNS_AWAY.format(here=here, place=str(volume_settings.directory), storage=storage)
    child = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == b"ready\n"
    assert left_of(engine, "child") != []

    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()

    wait_until(
        lambda: left_of(engine, "child") == [],
        what="the end of the container",
        timeout_seconds=DEADLINE,
    )
    runs = (volume_settings.directory or Path()) / f"pgrestore-{os.geteuid()}"
    wait_until(lambda: not (runs / "child").exists(), what="the watchdog", timeout_seconds=DEADLINE)


def test_a_container_ends_when_its_time_has_passed(
    open_run: Callable[..., DockerRun], engine: Engine
) -> None:
    """Even if the harness lives on."""
    run = open_run(max_lifetime_seconds=3.0)
    run.sandbox("shop@latest", run.find_programs(MAJOR))

    wait_until(
        lambda: left_of(engine, run.root.name) == [], what="the limit", timeout_seconds=DEADLINE
    )


def test_the_sweep_takes_ours_and_leaves_other_peoples(
    open_run: Callable[..., DockerRun], engine: Engine, volume_settings: DockerSettings
) -> None:
    """Removed: a dead run's. Left: a live run's, another machine's, and one that is not ours."""
    live = open_run()
    live.sandbox("shop@latest", live.find_programs(MAJOR))
    image = images.image_for(
        engine, volume_settings, MAJOR, (volume_settings.directory or Path()) / "lock"
    )
    stranger = engine.client.containers.create(image.name, "true", labels={"somebody": "else"})
    dead = engine.client.containers.create(
        image.name,
        "true",
        labels={
            removal.MANAGED: "true",
            removal.RUN: "dead",
            removal.ROOT: "/nonexistent/dead",
            removal.HOST: boot_identity(),
        },
    )
    elsewhere = engine.client.containers.create(
        image.name,
        "true",
        labels={
            removal.MANAGED: "true",
            removal.RUN: "remote",
            removal.ROOT: "/nonexistent/remote",
            removal.HOST: "another-machine/boot",
        },
    )
    try:
        removed = sweep()

        assert f"container {(dead.id or '')[:12]}" in removed
        left = {entry["Id"] for entry in engine.client.api.containers(all=True)}
        assert {stranger.id, elsewhere.id} <= left
        assert left_of(engine, live.root.name) != []
    finally:
        for container in (stranger, elsewhere):
            container.remove(force=True)


def test_a_kept_container_outlives_the_run_until_it_is_cleaned(
    volume_settings: DockerSettings, engine: Engine
) -> None:
    """--pgrestore-keep prints how to connect, and how to remove it."""
    run = DockerRun.open(volume_settings, "kept")
    sandbox = empty_server(run)
    assert ask(sandbox, "select 1") == 1

    told = run.keep_drill("shop@latest")
    assert run.close() == []

    assert f"psql -h {sandbox.socket_directory}" in told
    assert ask(sandbox, "select 2") == 2
    said: list[str] = []
    clean_up(sandbox.place, volume_settings.directory, said.append)
    assert left_of(engine, "kept") == []
    assert not sandbox.place.exists()
