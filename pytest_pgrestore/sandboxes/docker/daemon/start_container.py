"""Starting a container through testcontainers, without network and privileges.

Its first process waits for the lock that every process of the run holds, and for the time limit.
If we are killed, the kernel releases the lock (flock(2)) and the container ends. Docker then
removes it with the copy in it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.base_sandbox import PORT
from pytest_pgrestore.sandboxes.docker.daemon.client import speaking
from pytest_pgrestore.sandboxes.docker.daemon.container import Container
from pytest_pgrestore.sandboxes.docker.daemon.container_spec import all_labels, arguments
from pytest_pgrestore.sandboxes.docker.daemon.detached import start_detached
from pytest_pgrestore.sandboxes.docker.daemon.removal import remove_all
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
    from pytest_pgrestore.sandboxes.docker.daemon.container_spec import ContainerSpec
    from pytest_pgrestore.sandboxes.docker.daemon.image import Image
    from pytest_pgrestore.sandboxes.settings import DockerSettings
    from pytest_pgrestore.system.account import Account

_BEGINNING_SECONDS = 5.0
"""A new process is the container runtime at first, for some milliseconds."""


def start(
    engine: Engine, image: Image, settings: DockerSettings, account: Account, spec: ContainerSpec
) -> Container:
    """Start a container whose first process only waits.

    Raises:
        HarnessError: The daemon refuses; nothing is left behind.
    """
    from testcontainers.core.container import DockerContainer

    starting = f"starting a container of image {image.name}"
    with speaking(starting):  # the constructor reads the daemon's version
        made = DockerContainer(
            image.name,
            docker_client_kw={"timeout": engine.client.api.timeout},
            labels=all_labels(settings, spec),
            **arguments(settings, account, spec),
        )
    if spec.published:
        # with_exposed_ports publishes on every address of this machine (testcontainers 4.15). Its
        # own type knows no address, but it gives `ports` unchanged to docker-py, which does.
        made.ports = cast("dict[str, int | None]", {f"{PORT}/tcp": ("127.0.0.1", None)})
    try:
        with _ryuk(settings), speaking(starting):
            made.start()
            # get_container_id() is new in testcontainers 4.15.
            identity = str(made.get_wrapped_container().id)
            state = engine.client.api.inspect_container(identity)["State"]
        _require_running(image, state)
    except BaseException:
        # A container that was created and never started stays: auto_remove does not apply to it.
        remove_all(engine, spec.labels)
        raise
    finally:
        made.get_docker_client().client.close()  # it has a client of its own, and we have ours
    pid = int(state["Pid"]) if account.drop else _start_visible(engine, identity, account)
    return Container(engine, identity, pid, account, settings.memory)


def _start_visible(engine: Engine, identity: str, account: Account) -> int:
    """Start a process of our own user in the container and return its pid.

    Only root can follow /proc/pid/root of a process of root (proc(5): ptrace access mode).
    """
    user = f"{account.uid}:{account.gid}"
    action = "starting a process in the container"
    process = start_detached(engine, identity, ["sleep", "infinity"], user=user, action=action)
    # At first it is still the container runtime, whose files nobody may see. If they stay hidden,
    # the sandbox reports that later.
    with suppress(HarnessError):
        wait_until(
            lambda: os.access(f"/proc/{process.pid}/root/", os.X_OK),
            what="the process",
            timeout_seconds=_BEGINNING_SECONDS,
        )
    return process.pid


def _require_running(image: Image, state: Mapping[str, Any]) -> None:
    if not state["Running"]:
        reason = state.get("Error") or f"status {state['ExitCode']}"
        raise HarnessError(
            f"a container of image {image.name} ended at once: {reason}",
            hint="the image needs sh, timeout and flock (coreutils and util-linux, or busybox).",
        )


@contextmanager
def _ryuk(settings: DockerSettings) -> Iterator[None]:
    """Switch the reaper of testcontainers off, unless the user wants it.

    Ryuk mounts Docker's socket and publishes a port. The setting is global, so it is put back.
    """
    from testcontainers.core.config import testcontainers_config

    before = testcontainers_config.ryuk_disabled
    testcontainers_config.ryuk_disabled = not settings.ryuk
    try:
        yield
    finally:
        testcontainers_config.ryuk_disabled = before
