"""Unusual Docker daemons, started by the tests: could not verify, in one sentence each."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.client import connect
from pytest_pgrestore.sandboxes.docker.daemon.image import image_for
from pytest_pgrestore.sandboxes.docker.run import DockerRun
from pytest_pgrestore.sandboxes.settings import DockerSettings
from pytest_pgrestore.system.waiting import wait_until
from tests.real.runtimes import docker_settings, require_docker
from tests.real.sandboxes.docker_server import DEADLINE, MAJOR

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and os.environ.get("CI") != "true",
    reason="only root can start a Docker daemon",
)


class Daemon:
    """A second Docker daemon, with places of its own and without a network.

    Args:
        place: Where its data, socket and log are.
        hidden: A directory it does not see, as a daemon on another machine would not.
        flags: More arguments.
    """

    def __init__(self, place: Path, *flags: str, hidden: Path | None = None) -> None:
        self.address = f"unix://{place}/d.sock"
        self.log = place / "log"
        own = [f"--data-root={place}/data", f"--exec-root={place}/exec", f"--pidfile={place}/pid"]
        net = ["--bridge=none", "--iptables=false", "--ip6tables=false", f"--host={self.address}"]
        hiding = f"mount -t tmpfs none '{hidden}' && " if hidden is not None else ""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                # A network namespace of its own: with --bridge=none it would remove the bridge of
                # the first daemon.
                [
                    "unshare",
                    "--mount",
                    "--net",
                    "sh",
                    "-c",
                    f'{hiding}exec "$0" "$@"',
                    "dockerd",
                    *own,
                    *net,
                    *flags,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def docker(
        self, *args: str, stdin: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run docker's command line on it."""
        command = ["docker", "--host", self.address, *args]
        return subprocess.run(command, capture_output=True, check=False, stdin=stdin)

    def wait(self) -> None:
        """Wait until it answers."""

        def answers() -> bool:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            return self.docker("version").returncode == 0

        wait_until(answers, what="a second Docker daemon", timeout_seconds=DEADLINE)

    def stop(self) -> None:
        """End it and what it started."""
        self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Daemon]]:
    """Start daemons and point this process at the last one; stopped after the test."""
    require_docker()
    started: list[tuple[Daemon, Path]] = []

    def _start(*flags: str, hidden: Path | None = None) -> Daemon:
        place = short_directory()
        started.append((Daemon(place, *flags, hidden=hidden), place))
        daemon = started[-1][0]
        daemon.wait()
        monkeypatch.setenv("DOCKER_HOST", daemon.address)
        return daemon

    yield _start
    for daemon, place in started:
        daemon.stop()
        subprocess.run(
            ["sh", "-c", f"umount -l {place}/data/*/* {place}/exec/* 2>/dev/null; rm -rf {place}"],
            check=False,
        )


@pytest.fixture
def settings(place: Path) -> DockerSettings:
    """How containers are set up."""
    return docker_settings(place)


def give_image(daemon: Daemon, settings: DockerSettings) -> str:
    """Give the daemon the image of ours that the first one has; return its name."""
    before = os.environ.pop("DOCKER_HOST")
    name = image_for(connect(), settings, MAJOR, (settings.directory or Path()) / "lock").name
    with subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE) as saving:
        done = daemon.docker("load", stdin=saving.stdout)
    assert (saving.returncode, done.returncode) == (0, 0), done.stderr
    os.environ["DOCKER_HOST"] = before
    return name


def test_a_daemon_that_maps_users_is_refused(
    starting: Callable[..., Daemon], settings: DockerSettings
) -> None:
    """Files of a container would belong to users this machine does not know."""
    starting("--userns-remap=default")

    with pytest.raises(HarnessError, match="runs with user namespaces") as refused:
        DockerRun.open(settings, "x")

    assert 'runtime = "local"' in refused.value.hint


def test_a_daemon_that_does_not_see_our_files_is_refused(
    starting: Callable[..., Daemon], settings: DockerSettings
) -> None:
    """DOCKER_HOST names another machine, or pytest runs in a container of its own."""
    daemon = starting(hidden=settings.directory)
    name = give_image(daemon, settings)
    run = DockerRun.open(docker_settings(settings.directory or Path(), image=name), "x")
    try:
        with pytest.raises(HarnessError) as refused:
            run.find_programs(MAJOR)
    finally:
        run.close()

    assert "bind source path does not exist" in refused.value.problem
    assert "the daemon does not see the files of this machine" in refused.value.hint


def test_a_daemon_that_dies_in_the_middle_is_one_sentence(
    starting: Callable[..., Daemon], settings: DockerSettings
) -> None:
    """The tool that runs in its container is cut off, and is not taken for one that ended well."""
    daemon = starting()
    name = give_image(daemon, settings)
    run = DockerRun.open(docker_settings(settings.directory or Path(), image=name), "x")
    programs = run.find_programs(MAJOR)
    sandbox = run.sandbox("shop@latest", programs)
    threading.Timer(0.5, lambda: os.killpg(daemon.process.pid, signal.SIGKILL)).start()

    with pytest.raises(
        HarnessError,
        match=r"running sleep in the container failed: no Docker daemon|ended in the middle",
    ):
        sandbox.container.execute(["sleep", "60"], timeout_seconds=DEADLINE)

    with pytest.raises(HarnessError, match="no Docker daemon answers there"):
        run.close()
    # Our directory is removed without the daemon too. Its lock is released, so containers end.
    assert not run.root.exists()
    assert "no Docker daemon answers there" in (sandbox.why_ended() or "")
    # And a run that cannot even begin leaves nothing behind.
    with pytest.raises(HarnessError, match="no Docker daemon answers there"):
        DockerRun.open(settings, "y")
    assert not run.root.with_name("y").exists()
    del run, programs, sandbox
    gc.collect()
