"""One drill's container: the copy in an anonymous volume, the server in it, sockets and logs on this machine.

The copy is reached through /proc/pid/root of the container's first process, which runs as the server's user. A link
of ours leads there from the path the copy has in the container, so every path means the same on both sides and all
of a source's work on files is done at full speed, without the copy ever being on a disk that outlives the container.

Source: proc(5), /proc/pid/root; Docker Engine API, "Exec".
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import Teardown
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.docker.daemon.client import speaking
from pytest_pgrestore.sandboxes.docker.daemon.container import SERVER_PORT, Container
from pytest_pgrestore.sandboxes.docker.daemon.removal import TOOL, remove_all
from pytest_pgrestore.sandboxes.docker.programs import environment
from pytest_pgrestore.system import network, process_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
    from pytest_pgrestore.sandboxes.docker.programs import ContainerPrograms
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements, ToolRunner
    from pytest_pgrestore.sandboxes.settings import DockerSettings
    from pytest_pgrestore.system.account import Account

NO_NETWORK = "cut: a container without network (--network none)"
PUBLISHED = (
    "NOT cut: the server's port is published on 127.0.0.1, which takes a network that leads out"
)

CONTAINER_ENDED = "the container ended: it was removed, or its time limit passed"

_HBA = "local all all trust\nlocal replication all trust\nhost all all all scram-sha-256\n"
"""Without a port to listen on the last line means nothing."""

_STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
_START = 'umask 077; exec "$0" "$@" >>{log} 2>&1'
_CHOWN_SECONDS = 30.0
_SIGNALLED = 128


class DockerSandbox:
    """Implements `sandboxes.protocol.Sandbox` with a container.

    Args:
        place: Directory of the drill on this machine: sockets, logs, configuration.
        copy: Where the copy lives, in the container and, by a link, here.
        programs: PostgreSQL's programs, in this drill's container.
        settings: How it is set up.
        labels: Of the container and its volume.
        tool_runner: Starts a container beside it for a backup tool that fills the copy.
    """

    port = SERVER_PORT

    def __init__(
        self,
        place: Path,
        copy: Path,
        programs: ContainerPrograms,
        settings: DockerSettings,
        labels: Mapping[str, str],
        tool_runner: Callable[[ToolRequirements], ToolRunner],
    ) -> None:
        self.place = place
        self.root = copy
        self.data = copy / "data"
        self.tablespaces = copy / "tablespaces"
        self.wal = copy / "wal"
        self.logs = place / "logs"
        self.socket_directory = place / "s"
        self.config = place / "config"
        published = settings.connect_by == "port"
        self.kind = f"docker, storage {settings.storage}"
        self.network = PUBLISHED if published else NO_NETWORK
        self._programs = programs
        self._settings = settings
        self._labels = labels
        self._make_tool_runner = tool_runner
        self._tool_runners: dict[ToolRequirements, ToolRunner] = {}
        self._server: str | None = None
        self._starts = 0

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
        """How clients connect: by the socket, or by a port of 127.0.0.1 with a password of this drill's own."""
        if self._settings.connect_by == "socket":
            return {"host": str(self.socket_directory), "port": str(self.port)}
        port = str(self.container.published_port())
        return {"host": "127.0.0.1", "port": port, "passfile": str(self._passfile)}

    @property
    def _passfile(self) -> Path:
        # Not in the directory the container sees.
        return self.place.parent.parent / "programs" / f"{self.place.name}.pgpass"

    def allow_login(self, user: str, options: str) -> str:
        """Give `user` a random password where clients come by a port; asked over the socket inside the container."""
        if self._settings.connect_by == "socket" or self._passfile.exists():
            return ""
        password = secrets.token_urlsafe(24)
        name = user.replace('"', '""')
        statement = f"set password_encryption = 'scram-sha-256'; alter role \"{name}\" password '{password}'"
        done = self.programs.run(
            "psql",
            *(
                "-X",
                "-q",
                "-h",
                str(self.socket_directory),
                "-p",
                str(self.port),
                "-U",
                user,
                "-d",
                "template1",
            ),
            stdin=[statement.encode()],
            env={"PGOPTIONS": options},
            check=False,
        )
        if done.status != 0 or done.stderr:
            return done.stderr or f"psql ended with status {done.status}"
        descriptor = os.open(self._passfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"*:*:*:*:{password}\n")
        return ""

    @classmethod
    def prepare(cls, place: Path, account: Account) -> None:
        """Make what the container mounts from this machine, private to the server's user.

        Raises:
            HarnessError: The file system refuses.
        """
        try:
            place.mkdir(mode=0o700)
            for folder in ("logs", "s", "config"):
                (place / folder).mkdir(mode=0o700)
            (place / "config" / "postgresql.conf").write_text("")
            (place / "config" / "pg_hba.conf").write_text(_HBA)
            (place / "config" / "pg_ident.conf").write_text("")
        except OSError as exc:
            raise HarnessError(
                f"could not make {place}: {exc.strerror}",
                hint="free the disk or set sandbox.directory to a place that can be written.",
            ) from exc
        account.own_tree(place)

    def create(self) -> None:
        """Lead our path of the copy into the container, and make the directories in it.

        Raises:
            HarnessError: The container's files cannot be reached from here.
        """
        if self._settings.storage != "bind":
            self._reach_in()
        self.kind += f", as user {self.account.name}"
        for folder in (self.data, self.tablespaces, self.wal):
            folder.mkdir(mode=0o700)
            self.account.own(folder)

    def _reach_in(self) -> None:
        inside = self.container.files / self.root.relative_to("/")
        try:
            if not inside.is_dir():
                raise FileNotFoundError(2, "no such directory")
            if self.account.drop:
                os.chown(inside, self.account.uid, self.account.gid)
                inside.chmod(0o700)
            else:
                # Only root may give it away: root in the container, which has the right to that and to nothing else.
                self.container.execute(
                    ["chown", self.container.user, str(self.root)],
                    timeout_seconds=_CHOWN_SECONDS,
                    user="0:0",
                )
            self.root.symlink_to(inside)
            next(self.root.iterdir(), None)
        except OSError as exc:
            raise HarnessError(
                f"the files of the container cannot be reached from here ({exc.strerror}): the daemon runs elsewhere,"
                " or the system forbids it",
                hint='set sandbox.storage = "bind", which keeps the copy in a directory of this machine.',
            ) from exc

    def adopt(self, path: Path) -> None:
        """Give a file or tree that we wrote to the server's user."""
        self.account.own_tree(path)

    def own_settings(self) -> dict[str, str]:
        """Return the settings that only the sandbox knows: its own files, and the one way in."""
        return {
            "data_directory": str(self.data),
            "config_file": str(self.config / "postgresql.conf"),
            "hba_file": str(self.config / "pg_hba.conf"),
            "ident_file": str(self.config / "pg_ident.conf"),
            # Inside the container; Docker publishes it on 127.0.0.1 of this machine only.
            "listen_addresses": "" if self._settings.connect_by == "socket" else "*",
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0700",
        }

    def tool_runner(self, requirements: ToolRequirements) -> ToolRunner:
        """Return where a backup tool runs that fills this sandbox."""
        if requirements not in self._tool_runners:
            self._tool_runners[requirements] = self._make_tool_runner(requirements)
        return self._tool_runners[requirements]

    def stop_tools(self) -> None:
        """Remove the containers of the tools, and ask the daemon whether they are gone.

        Raises:
            HarnessError: One is not: no server may start while somebody else can reach its files.
        """
        self._tool_runners.clear()
        left = remove_all(self.container.engine, {**self._labels, TOOL: "true"})
        if left:
            raise HarnessError(
                f"the container of a backup tool could not be removed: {', '.join(left)}",
                hint="look at `docker ps` and the daemon's log.",
            )

    def start(self, settings: Mapping[str, str]) -> None:
        """Start PostgreSQL with an argument list; return at once, ready or not."""
        if self._server is not None and self.exit_status() is None:
            raise HarnessError(
                f"a server runs in {self.root} already", hint="this is a bug: please report it."
            )
        self._starts += 1
        argv = [self.programs.path("postgres"), "-D", str(self.data)]
        for name, value in {**settings, **self.own_settings()}.items():
            argv += ["-c", f"{name}={value}"]
        shell = ["sh", "-c", _START.format(log=f"'{self.server_log()}'"), *argv]
        api = self.container.engine.client.api
        with speaking("starting the server in its container"):
            created = api.exec_create(
                self.container.identity,
                shell,
                user=self.container.user,
                environment=environment(),
                workdir="/",
            )
            self._server = str(created["Id"])
            api.exec_start(self._server, detach=True)
            pid = int(api.exec_inspect(self._server)["Pid"])
        record = {
            "pid": pid,
            "started": process_table.start_time(pid),
            "container": self.container.identity,
        }
        (self.place / watchdog.SERVER).write_text(json.dumps(record))

    def exit_status(self) -> int | None:
        """Return the exit status of the server, negative for a signal; None while it runs."""
        if self._server is None or watchdog.alive(watchdog.server_of(self.place)):
            return None
        with speaking("asking how the server ended"):
            try:
                found = self.container.engine.client.api.exec_inspect(self._server)
            except _not_found():
                return -int(signal.SIGKILL)  # the container is gone, and the server with it
        if found["Running"]:
            return None
        status = found["ExitCode"]
        if status is None:
            return -int(signal.SIGKILL)
        return int(status) if status <= _SIGNALLED else _SIGNALLED - int(status)

    def why_ended(self) -> str | None:
        """Return why the server may have ended that is no fault of the backup: memory, or the container's own end."""
        try:
            state = self.container.state()
        except HarnessError as exc:
            return exc.problem
        if not state.get("Running"):
            return CONTAINER_ENDED
        return self.container.why_ended()

    def network_interfaces(self) -> list[str] | None:
        """Return the network interfaces of the running server's namespace; None where the system does not tell."""
        server = watchdog.server_of(self.place)
        return None if server is None else network.interfaces_of(server[0])

    def open_sockets(self) -> list[str]:
        """Return none: of this machine the container sees the backups, its own socket, and nothing else."""
        return []

    def server_log(self) -> Path:
        """Return the file that holds the server's messages since the last start."""
        return self.logs / f"server-{self._starts}.log"

    def stop(self) -> None:
        """Stop the server in an orderly way and wait for it."""
        watchdog.stop_server(self.place, _STOP_SIGNALS)

    def close(self) -> Teardown:
        """Remove container, volume and directory, and prove it."""
        return remove_drill(self.container.engine, self._labels, self.place, self.root)


def remove_drill(engine: Engine, labels: Mapping[str, str], place: Path, copy: Path) -> Teardown:
    """Remove what carries `labels`, and the drill's places on this machine; ask daemon and disk what is left."""
    remains = remove_all(engine, labels)
    if copy.is_symlink():
        copy.unlink()
    for folder in (copy, place):
        shutil.rmtree(folder, ignore_errors=True)
    remains += [str(path) for path in (place, copy) if path.exists() or path.is_symlink()]
    if remains:
        message = "left behind: " + ", ".join(remains)
    else:
        message = "no container, no volume, no file is left of the copy: asked from the Docker daemon and the disk"
    return Teardown(removed=not remains, message=message, at=datetime.now(UTC))


def _not_found() -> type[Exception]:
    from docker.errors import NotFound

    return NotFound
