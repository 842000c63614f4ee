"""The `local` sandbox: one drill's directory and server process on this machine, without Docker."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import confinement, watchdog
from pytest_pgrestore.sandboxes.base_sandbox import (
    SOCKET_ONLY_HBA,
    STOP_SIGNALS,
    BaseSandbox,
    passable,
    server_record,
    teardown_of,
    write_config_files,
)
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
from pytest_pgrestore.sandboxes.local.programs import program_files
from pytest_pgrestore.sandboxes.local.server_process import ServerProcess
from pytest_pgrestore.system import network, process_table

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.sandboxes.local.programs import LocalPrograms
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements
    from pytest_pgrestore.system.account import Account

LONGEST_SOCKET_PATH = 107
"""Bytes of a Unix socket's path: sun_path has 108, with the closing zero (unix(7))."""

_NOTHING_LEFT = "no process, no shared memory, no file is left of the copy"
_NOTHING_FOUND = (
    "no process with its working directory in the copy, no shared memory, no file is left;"
    " without bubblewrap a program that SQL of the copy started elsewhere would not be found"
)


class LocalSandbox(BaseSandbox):
    """Implements `sandboxes.protocol.Sandbox` with a directory and a process.

    Args:
        root: The drill's directory; a new drill has none yet.
        programs: PostgreSQL's programs.
        cut: Whether servers get a network namespace of their own.
    """

    def __init__(self, root: Path, programs: LocalPrograms, *, cut: bool) -> None:
        super().__init__(place=root, root=root)
        bwrap = programs.confinement.bwrap is not None
        self.kind = f"local, as user {programs.account.name}"
        self.network = confinement.ALONE if bwrap else network.CUT if cut else network.OPEN
        self.scratch = root / "scratch"
        self.confinement = programs.confinement.words
        self.confined = not programs.confinement.none
        self._programs = replace(
            programs,
            reads=(*programs.reads, root),
            writes=(self.data, self.tablespaces),
        )
        self._process = ServerProcess(self._programs, root, cut=cut)

    @property
    def programs(self) -> LocalPrograms:
        """PostgreSQL's programs."""
        return self._programs

    @property
    def account(self) -> Account:
        """The unprivileged user the server runs as."""
        return self._programs.account

    def create(self) -> None:
        """Make the directories. The server's user owns the leaves that it writes, and no other.

        Raises:
            HarnessError: The path is too long for a socket, or the file system refuses.
        """
        self._require_short_path()
        try:
            for folder in (self.root, self.tablespaces, self.config):
                folder.mkdir()
                folder.chmod(passable(self.account))
            for folder in (self.data, self.wal, self.logs, self.scratch, self.socket_directory):
                folder.mkdir(mode=0o700)
            for folder in (self.data, self.socket_directory):
                self.account.own(folder)
            write_config_files(self.config, SOCKET_ONLY_HBA)
        except OSError as exc:
            raise HarnessError(
                f"could not make the sandbox {self.root}: {exc.strerror}",
                hint="free the disk or set sandbox.directory to a place that can be written.",
            ) from exc

    def _require_short_path(self) -> None:
        socket = self.socket_directory / f".s.PGSQL.{self.port}"
        length = len(str(socket).encode())
        if length > LONGEST_SOCKET_PATH:
            raise HarnessError(
                f"{socket} is {length} bytes long,"
                f" and a Unix socket path ends at {LONGEST_SOCKET_PATH}",
                hint="set sandbox.directory to a shorter path.",
            )

    def tool_runner(self, requirements: ToolRequirements) -> HostToolRunner:
        """Return where a backup tool runs that fills this sandbox."""
        return HostToolRunner(
            requirements,
            self.root,
            self.programs.timeout_seconds,
            self.programs.confinement,
            fills=(self.data, self.tablespaces, self.wal),
        )

    def stop_tools(self) -> None:
        """Do nothing: a tool on this machine has ended when its call returns."""

    def _runs(self) -> bool:
        return self._process.runs()

    def _launch(self, argv: list[str]) -> dict[str, str | int]:
        reach = confinement.system_reach(
            (*program_files(self.programs.installation), self.config),
            (self.data, self.tablespaces, self.socket_directory),
        )
        return server_record(self._process.start(argv, reach, self.server_log()))

    def own_settings(self) -> dict[str, str]:
        """Return the settings that only the sandbox knows: its files, and where it listens.

        /dev/shm is closed to a confined server, also in single-user mode, and small or closed in
        some containers. So dynamic shared memory is in the copy (PostgreSQL docs,
        dynamic_shared_memory_type).
        """
        return super().own_settings() | {"dynamic_shared_memory_type": "mmap"}

    def allow_login(self, user: str, options: str) -> str:  # noqa: ARG002 - no password is needed
        """Return "": the socket's directory lets only the right users in."""
        return ""

    def exit_status(self) -> int | None:
        """Return the exit status of the server this process started; None while it runs."""
        return self._process.exit_status()

    def why_ended(self) -> str | None:
        """Return None: the system keeps nothing of a process but its exit status."""
        return None

    def open_sockets(self) -> list[str]:
        """Return the Unix sockets of other servers that the server could connect to."""
        if self.programs.confinement.bwrap is not None:
            return []  # it sees no directory but its own
        return network.open_sockets(self.account, self.root.parent)

    def stop(self) -> None:
        """Stop the server with a fast shutdown and wait for it."""
        watchdog.stop_server(self.root, STOP_SIGNALS)
        self._process.wait()

    def let_go(self) -> None:
        """Leave the server running when this process ends; the watchdog or a user stops it."""
        self._process.let_go()

    def close(self) -> Teardown:
        """Stop the server, remove everything, and prove it."""
        of_the_dead = watchdog.memory_of_dead_server(self.root)
        memory = process_table.stop_processes(self.root)
        watchdog.stop_server(self.root)
        if not watchdog.alive(watchdog.server_of(self.root)):
            self._process.wait()
        of_the_dead.remove()
        left = process_table.processes_below(self.root)
        shutil.rmtree(self.root, ignore_errors=True)
        remains = [f"process {number}" for number in left]
        remains += of_the_dead.existing() + memory.existing()
        remains += [str(self.root)] if self.root.exists() else []
        alone = self.programs.confinement.bwrap is not None
        return teardown_of(remains, _NOTHING_LEFT if alone else _NOTHING_FOUND)
