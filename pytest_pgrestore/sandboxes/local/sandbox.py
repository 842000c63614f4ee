"""The `local` sandbox: one drill's directory and server process on this machine, without Docker."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import Teardown
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
from pytest_pgrestore.system import network, process_table
from pytest_pgrestore.system.process import child_environment, spawn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_pgrestore.sandboxes.local.programs import LocalPrograms
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements
    from pytest_pgrestore.system.account import Account

PORT = 5432
"""Only a number in the socket's name: the socket directory is private to the drill."""

SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket path the kernel takes (sun_path, less the closing zero)."""

_HBA = "local all all trust\nlocal replication all trust\n"
_STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)


class LocalSandbox:
    """Implements `sandboxes.protocol.Sandbox` with a directory and a process.

    Args:
        root: The drill's directory, not there yet for a new one.
        programs: PostgreSQL's programs.
        cut: Whether servers get a network namespace of their own.
    """

    port = PORT

    def __init__(self, root: Path, programs: LocalPrograms, *, cut: bool) -> None:
        self.root = root
        self.data = root / "data"
        self.tablespaces = root / "tablespaces"
        self.wal = root / "wal"
        self.logs = root / "logs"
        self.socket_directory = root / "s"
        self.config = root / "config"
        self.kind = f"local, as user {programs.account.name}"
        self.network = network.CUT if cut else network.OPEN
        self._programs = programs
        self._cut = cut
        self._child: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def client_address(self) -> dict[str, str]:
        """How clients connect."""
        return {"host": str(self.socket_directory), "port": str(self.port)}

    @property
    def programs(self) -> LocalPrograms:
        """PostgreSQL's programs."""
        return self._programs

    @property
    def account(self) -> Account:
        """The unprivileged user the server runs as."""
        return self._programs.account

    def create(self) -> None:
        """Make the directories, private to the server's user.

        Raises:
            HarnessError: The path is too long for a socket, or the file system refuses.
        """
        socket = self.socket_directory / f".s.PGSQL.{self.port}"
        if len(str(socket).encode()) > SOCKET_PATH_LIMIT:
            raise HarnessError(
                f"{socket} is {len(str(socket).encode())} bytes long, and a Unix socket path ends at"
                f" {SOCKET_PATH_LIMIT}",
                hint="set sandbox.directory to a shorter path.",
            )
        folders = (
            self.data,
            self.tablespaces,
            self.wal,
            self.logs,
            self.socket_directory,
            self.config,
        )
        try:
            for folder in (self.root, *folders):
                folder.mkdir(mode=0o700)
                self.account.own(folder)
            (self.config / "postgresql.conf").write_text("")
            (self.config / "pg_hba.conf").write_text(_HBA)
            (self.config / "pg_ident.conf").write_text("")
        except OSError as exc:
            raise HarnessError(
                f"could not make the sandbox {self.root}: {exc.strerror}",
                hint="free the disk or set sandbox.directory to a place that can be written.",
            ) from exc
        self.adopt(self.config)

    def adopt(self, path: Path) -> None:
        """Give a file or tree that we wrote to the server's user."""
        self.account.own_tree(path)

    def own_settings(self) -> dict[str, str]:
        """Return the settings that only the sandbox knows: its own files, and no way in but the socket."""
        return {
            "data_directory": str(self.data),
            "config_file": str(self.config / "postgresql.conf"),
            "hba_file": str(self.config / "pg_hba.conf"),
            "ident_file": str(self.config / "pg_ident.conf"),
            "listen_addresses": "",
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0700",
        }

    def tool_runner(self, requirements: ToolRequirements) -> HostToolRunner:
        """Return where a backup tool runs that fills this sandbox."""
        return HostToolRunner(requirements, self.root, self.programs.timeout_seconds)

    def stop_tools(self) -> None:
        """Nothing to do: a tool of this machine has ended when its call has."""

    def start(self, settings: Mapping[str, str]) -> None:
        """Start PostgreSQL with an argument list (never ``pg_ctl -o``); return at once, ready or not."""
        if self._child is not None and self._child.poll() is None:
            raise HarnessError(
                f"a server runs in {self.root} already", hint="this is a bug: please report it."
            )
        self._starts += 1
        argv = [str(self.programs.path("postgres")), "-D", str(self.data)]
        for name, value in {**settings, **self.own_settings()}.items():
            argv += ["-c", f"{name}={value}"]
        with self.server_log().open("wb") as log:
            self.server_log().chmod(0o600)
            self._child = spawn(
                argv,
                env=child_environment(),
                streams=(log, subprocess.STDOUT),
                cwd=self.root,  # by which the watchdog knows it, also when we die before the next lines
                prepare=network.enter(self.account, cut=self._cut),
            )
        record = {"pid": self._child.pid, "started": process_table.start_time(self._child.pid)}
        (self.root / watchdog.SERVER).write_text(json.dumps(record))

    def allow_login(self, user: str, options: str) -> str:  # noqa: ARG002 - the directory of the socket is the lock
        """Return nothing: whoever reaches the socket is let in."""
        return ""

    def exit_status(self) -> int | None:
        """Return the exit status of the server this process started; None while it runs."""
        return None if self._child is None else self._child.poll()

    def why_ended(self) -> str | None:
        """Return None: of a process of this machine nothing more is known than its status."""
        return None

    def server_log(self) -> Path:
        """Return the file that holds the server's messages since the last start."""
        return self.logs / f"server-{self._starts}.log"

    def network_interfaces(self) -> list[str] | None:
        """Return the network interfaces of the running server's namespace; None where the system does not tell."""
        server = self._pid()
        return None if server is None else network.interfaces_of(server[0])

    def open_sockets(self) -> list[str]:
        """Return the Unix sockets of other servers on this machine that the server's user may connect to."""
        return network.open_sockets(self.account, self.root.parent)

    def stop(self) -> None:
        """Stop the server in an orderly way and wait for it."""
        watchdog.stop_server(self.root, _STOP_SIGNALS)
        if self._child is not None:
            self._child.wait()

    def let_go(self) -> None:
        """Leave the server running when this process ends; somebody else will stop it."""
        if self._child is not None and self._child.poll() is None:
            # Popen complains when it is forgotten while its child runs; this one is meant to.
            self._child.returncode = 0

    def close(self) -> Teardown:
        """Stop the server, remove everything, and prove it."""
        of_the_dead = watchdog.memory_of_dead_server(self.root)
        memory = process_table.stop_processes(self.root)
        watchdog.stop_server(self.root)
        if (
            self._child is not None
            and self._child.poll() is None
            and not watchdog.alive(self._pid())
        ):
            self._child.wait()
        of_the_dead.remove()
        left = process_table.processes_below(self.root)
        shutil.rmtree(self.root, ignore_errors=True)
        remains = [f"process {number}" for number in left]
        remains += of_the_dead.existing() + memory.existing()
        remains += [str(self.root)] if self.root.exists() else []
        if remains:
            message = "left behind: " + ", ".join(remains)
        else:
            message = "no process, no shared memory, no file is left of the copy"
        return Teardown(removed=not remains, message=message, at=datetime.now(UTC))

    def _pid(self) -> tuple[int, str] | None:
        return watchdog.server_of(self.root)
