"""A process that runs on in a container after the call that started it.

Source: Docker Engine API, "Exec".
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes.docker.daemon.client import speaking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine

_SIGNALLED = 128
"""An exit status above it means a signal, as in a shell."""


@dataclass(frozen=True, slots=True)
class Detached:
    """A process that was started.

    Attributes:
        engine: Its daemon.
        identity: Id of the exec.
        pid: Its number on the daemon's machine.
    """

    engine: Engine
    identity: str
    pid: int

    def exit_status(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""
        from docker.errors import NotFound

        with speaking("asking how the server ended"):
            try:
                found = self.engine.client.api.exec_inspect(self.identity)
            except NotFound:
                # The container is gone, and its processes with it.
                return -int(signal.SIGKILL)
        if found["Running"]:
            return None
        status = found["ExitCode"]
        if status is None:
            return -int(signal.SIGKILL)
        return int(status) if status <= _SIGNALLED else _SIGNALLED - int(status)


def start_detached(
    engine: Engine,
    container: str,
    argv: Sequence[str],
    *,
    user: str,
    action: str,
    env: Mapping[str, str] | None = None,
) -> Detached:
    """Start `argv` in a container and return at once.

    Args:
        engine: The daemon.
        container: Identity of a running container.
        argv: Program and arguments; never a secret.
        user: ``uid:gid`` it runs as.
        action: Subject of an error, as in "starting the server in its container".
        env: Its variables, on top of the container's.

    Raises:
        HarnessError: The daemon refuses.
    """
    api = engine.client.api
    with speaking(action):
        created = api.exec_create(
            container, list(argv), user=user, environment=dict(env or {}), workdir="/"
        )
        api.exec_start(created["Id"], detach=True)
        return Detached(engine, str(created["Id"]), int(api.exec_inspect(created["Id"])["Pid"]))
