"""The `local` sandbox: one drill's directory and server process on this machine, without Docker."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.base_sandbox import (
    SOCKET_ONLY_HBA,
    STOP_SIGNALS,
    BaseSandbox,
    server_record,
    teardown_of,
    write_config_files,
)
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
from pytest_pgrestore.system import network, process_table
from pytest_pgrestore.system.process import child_environment, spawn

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.sandboxes.local.programs import LocalPrograms
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements
    from pytest_pgrestore.system.account import Account

LONGEST_SOCKET_PATH = 107
"""Bytes of a Unix socket's path: sun_path has 108, with the closing zero (unix(7))."""

_NOTHING_LEFT = "no process, no shared memory, no file is left of the copy"


class LocalSandbox(BaseSandbox):
    """Implements `sandboxes.protocol.Sandbox` with a directory and a process.

    Args:
        root: The drill's directory; a new drill has none yet.
        programs: PostgreSQL's programs.
        cut: Whether servers get a network namespace of their own.
    """

    def __init__(self, root: Path, programs: LocalPrograms, *, cut: bool) -> None:
        super().__init__(place=root, root=root)
        self.kind = f"local, as user {programs.account.name}"
        self.network = network.CUT if cut else network.OPEN
        self._programs = programs
        self._cut = cut
        self._child: subprocess.Popen[bytes] | None = None

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
        self._require_short_path()
        content = (self.data, self.tablespaces, self.wal)
        try:
            for folder in (self.root, *content, self.logs, self.socket_directory, self.config):
                folder.mkdir(mode=0o700)
                self.account.own(folder)
            write_config_files(self.config, SOCKET_ONLY_HBA)
        except OSError as exc:
            raise HarnessError(
                f"could not make the sandbox {self.root}: {exc.strerror}",
                hint="free the disk or set sandbox.directory to a place that can be written.",
            ) from exc
        self.adopt(self.config)

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
        return HostToolRunner(requirements, self.root, self.programs.timeout_seconds)

    def stop_tools(self) -> None:
        """Do nothing: a tool on this machine has ended when its call returns."""

    def _runs(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def _launch(self, argv: list[str]) -> dict[str, str | int]:
        with self.server_log().open("wb") as log:
            self.server_log().chmod(0o600)
            self._child = spawn(
                [str(self.programs.path(argv[0])), *argv[1:]],
                env=child_environment(),
                streams=(log, subprocess.STDOUT),
                # The watchdog finds the server by this directory, even if we die before the
                # server's record is written.
                cwd=self.root,
                prepare=network.enter(self.account, cut=self._cut),
            )
        return server_record(self._child.pid)

    def allow_login(self, user: str, options: str) -> str:  # noqa: ARG002 - no password is needed
        """Return "": the socket's directory lets only the right users in."""
        return ""

    def exit_status(self) -> int | None:
        """Return the exit status of the server this process started; None while it runs."""
        return None if self._child is None else self._child.poll()

    def why_ended(self) -> str | None:
        """Return None: the system keeps nothing of a process but its exit status."""
        return None

    def open_sockets(self) -> list[str]:
        """Return the Unix sockets of other servers that the server's user may connect to."""
        return network.open_sockets(self.account, self.root.parent)

    def stop(self) -> None:
        """Stop the server with a fast shutdown and wait for it."""
        watchdog.stop_server(self.root, STOP_SIGNALS)
        if self._child is not None:
            self._child.wait()

    def let_go(self) -> None:
        """Leave the server running when this process ends; the watchdog or a user stops it."""
        if self._child is not None and self._child.poll() is None:
            # Popen.__del__ warns about a child that still runs (Lib/subprocess.py).
            self._child.returncode = 0

    def close(self) -> Teardown:
        """Stop the server, remove everything, and prove it."""
        of_the_dead = watchdog.memory_of_dead_server(self.root)
        memory = process_table.stop_processes(self.root)
        watchdog.stop_server(self.root)
        self._reap()
        of_the_dead.remove()
        left = process_table.processes_below(self.root)
        shutil.rmtree(self.root, ignore_errors=True)
        remains = [f"process {number}" for number in left]
        remains += of_the_dead.existing() + memory.existing()
        remains += [str(self.root)] if self.root.exists() else []
        return teardown_of(remains, _NOTHING_LEFT)

    def _reap(self) -> None:
        """Take the exit status of the server, if it is our child and has ended."""
        child = self._child
        if child is None or child.poll() is not None:
            return
        if not watchdog.alive(watchdog.server_of(self.root)):
            child.wait()
