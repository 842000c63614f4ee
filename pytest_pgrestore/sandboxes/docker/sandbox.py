"""One drill's container: the copy and the server are in it; sockets and logs are on this machine.

The copy is in a volume of the container. It is reached through /proc/pid/root of one of the
container's processes. A link of ours leads there from the path that the copy has in the container,
so every path means the same on both sides. Sources work on the files at full speed, and the copy is
never on a disk that outlives the container.

Source: proc(5), /proc/pid/root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.base_sandbox import (
    STOP_SIGNALS,
    BaseSandbox,
    passable,
    server_record,
)
from pytest_pgrestore.sandboxes.docker.container_state import state_of
from pytest_pgrestore.sandboxes.docker.daemon.detached import Detached, start_detached
from pytest_pgrestore.sandboxes.docker.daemon.removal import TOOL, remove_all
from pytest_pgrestore.sandboxes.docker.drill_place import begin_log, log_name
from pytest_pgrestore.sandboxes.docker.drill_removal import remove_drill
from pytest_pgrestore.sandboxes.docker.port_login import PortLogin
from pytest_pgrestore.sandboxes.docker.programs import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.sandboxes.docker.daemon.container import Container
    from pytest_pgrestore.sandboxes.docker.programs import ContainerPrograms
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements, ToolRunner
    from pytest_pgrestore.sandboxes.settings import DockerSettings
    from pytest_pgrestore.system.account import Account

NO_NETWORK = "cut: a container without network (--network none)"
CONTAINER = "server: a container without capabilities, its root file system read-only"
PUBLISHED = (
    "NOT cut: the server's port is published on 127.0.0.1, which takes a network that leads out"
)

_START = 'exec "$0" "$@" >>{log} 2>&1'
_CHOWN_SECONDS = 30.0


class DockerSandbox(BaseSandbox):
    """Implements `sandboxes.protocol.Sandbox` with a container.

    Args:
        place: Directory of the drill on this machine: sockets, logs, configuration.
        copy: Where the copy lives, in the container and, by a link, here.
        programs: PostgreSQL's programs, in this drill's container.
        settings: How it is set up.
        labels: Of the container and its volume.
        tool_runner: Starts a container beside it for a backup tool that fills the copy.
    """

    def __init__(
        self,
        place: Path,
        copy: Path,
        programs: ContainerPrograms,
        settings: DockerSettings,
        labels: Mapping[str, str],
        tool_runner: Callable[[ToolRequirements], ToolRunner],
    ) -> None:
        super().__init__(place=place, root=copy)
        self.kind = f"docker, storage {settings.storage}"
        self.confinement = CONTAINER
        self.confined = True
        self.network = PUBLISHED if settings.connect_by == "port" else NO_NETWORK
        self._programs = programs
        self._settings = settings
        self._labels = labels
        self._make_tool_runner = tool_runner
        self._tool_runners: dict[ToolRequirements, ToolRunner] = {}
        self._server: Detached | None = None
        self._login = PortLogin(place.parent.parent / "programs" / f"{place.name}.pgpass")

    @property
    def programs(self) -> ContainerPrograms:
        """PostgreSQL's programs."""
        return self._programs

    @property
    def container(self) -> Container:
        """The drill's container."""
        return self._programs.container

    @property
    def account(self) -> Account:
        """The unprivileged user the server runs as."""
        return self.container.account

    @property
    def client_address(self) -> dict[str, str]:
        """How clients connect: by the socket, or by a port of 127.0.0.1 with a password."""
        if self._settings.connect_by == "socket":
            return super().client_address
        port = str(self.container.published_port())
        return {"host": "127.0.0.1", "port": port, "passfile": str(self._login.passfile)}

    def allow_login(self, user: str, options: str) -> str:
        """Give `user` a random password if clients connect by a port; see the protocol."""
        if self._settings.connect_by == "socket":
            return ""
        return self._login.allow(user, options, self.programs, super().client_address)

    def server_log(self) -> Path:
        """Return the file that holds the server's messages since the last start."""
        return self.logs / log_name(self._starts)

    def create(self) -> None:
        """Link the path of the copy into the container, and make the directories there.

        The server's user owns the data directory, and the tablespaces when they are there.

        Raises:
            HarnessError: The container's files cannot be reached from here.
        """
        if self._settings.storage != "bind":
            self._link_into_container()
        self.kind += f", as user {self.account.name}"
        for folder in (self.data, self.tablespaces, self.wal):
            folder.mkdir(mode=0o700)
        self.tablespaces.chmod(passable(self.account))
        self.account.own(self.data)

    def _link_into_container(self) -> None:
        inside = self.container.files / self.root.relative_to("/")
        try:
            if not inside.is_dir():
                raise FileNotFoundError(2, "no such directory")
            self._own_volume(inside)
            self.root.symlink_to(inside)
            next(self.root.iterdir(), None)
        except OSError as exc:
            raise HarnessError(
                "the files of the container cannot be reached from here"
                f" ({exc.strerror}): the daemon runs elsewhere, or the system forbids it",
                hint='set sandbox.storage = "bind",'
                " which keeps the copy in a directory of this machine.",
            ) from exc

    def _own_volume(self, inside: Path) -> None:
        """Make us the owner of the volume, which root owns at first."""
        if self.account.drop:
            inside.chmod(passable(self.account))
            return
        # We are not root here. Root of the container has the capability CHOWN, and no other.
        self.container.execute(
            ["chown", self.container.user, str(self.root)],
            timeout_seconds=_CHOWN_SECONDS,
            user="0:0",
        )

    def _listen_addresses(self) -> str:
        # "*" inside the container. Docker publishes the port on 127.0.0.1 of this machine only.
        return "" if self._settings.connect_by == "socket" else "*"

    def tool_runner(self, requirements: ToolRequirements) -> ToolRunner:
        """Return where a backup tool runs that fills this sandbox."""
        if requirements not in self._tool_runners:
            self._tool_runners[requirements] = self._make_tool_runner(requirements)
        return self._tool_runners[requirements]

    def stop_tools(self) -> None:
        """Remove the containers of the tools, and check with the daemon that they are gone.

        Raises:
            HarnessError: One is left. No server may start while a tool can reach its files.
        """
        self._tool_runners.clear()
        left = remove_all(self.container.engine, {**self._labels, TOOL: "true"})
        if left:
            raise HarnessError(
                f"the container of a backup tool could not be removed: {', '.join(left)}",
                hint="look at `docker ps` and the daemon's log.",
            )

    def _runs(self) -> bool:
        return self._server is not None and self.exit_status() is None

    def _launch(self, argv: list[str]) -> dict[str, str | int]:
        program = [self.programs.path(argv[0]), *argv[1:]]
        self._server = start_detached(
            self.container.engine,
            self.container.identity,
            ["sh", "-c", _START.format(log=f"'{begin_log(self.server_log())}'"), *program],
            user=self.container.user,
            env=environment(),
            action="starting the server in its container",
        )
        return server_record(self._server.pid) | {"container": self.container.identity}

    def exit_status(self) -> int | None:
        """Return the exit status of the server, negative for a signal; None while it runs."""
        if self._server is None or watchdog.alive(watchdog.server_of(self.place)):
            return None
        return self._server.exit_status()

    def why_ended(self) -> str | None:
        """Return why the server may have ended, if that is no fault of the backup.

        Causes are the memory limit, and the end of the container itself.
        """
        return state_of(self.container).why_ended

    def open_sockets(self) -> list[str]:
        """Return none: of this machine the container sees the backups and its own socket."""
        return []

    def stop(self) -> None:
        """Stop the server with a fast shutdown and wait for it."""
        watchdog.stop_server(self.place, STOP_SIGNALS)

    def close(self) -> Teardown:
        """Remove container, volume and directory, and prove it."""
        return remove_drill(self.container.engine, self._labels, self.place, self.root)
