"""The server's process on this machine: started by bubblewrap, or under Landlock, or as it is."""

from __future__ import annotations

import json
import os
import select
import subprocess
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system import bubblewrap, network
from pytest_pgrestore.system.process import child_environment, spawn

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from pytest_pgrestore.sandboxes.local.programs import LocalPrograms
    from pytest_pgrestore.system.landlock import Reach

_INFO_SECONDS = 60.0
_INFO_BYTES = 4096
_END_SECONDS = 10.0


class ServerProcess:
    """Starts the server of one sandbox, and knows how it ended.

    Args:
        programs: PostgreSQL's programs, their user and what confines them.
        directory: Working directory of the server at first. The watchdog finds the server by it,
            even if we die before the server's record is written.
        cut: Whether the server gets a network namespace, where bubblewrap gives it none.
    """

    def __init__(self, programs: LocalPrograms, directory: Path, *, cut: bool) -> None:
        self._programs = programs
        self._directory = directory
        self._cut = cut
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, argv: list[str], reach: Reach, log: Path) -> int:
        """Start the server; return its pid.

        Args:
            argv: ``postgres`` and its arguments.
            reach: What it can reach.
            log: New file of its messages. The server gets it open, and has no right on its path.

        Raises:
            HarnessError: It could not be started.
        """
        program = [str(self._programs.path(argv[0])), *argv[1:]]
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        with os.fdopen(os.open(log, flags, 0o600), "ab") as stream:
            if self._programs.confinement.bwrap is None:
                return self._start_directly(program, reach, stream)
            return self._start_in_namespaces(
                self._programs.confinement.bwrap, program, reach, stream
            )

    def _start_directly(self, program: list[str], reach: Reach, log: IO[bytes]) -> int:
        become = network.enter(self._programs.account, cut=self._cut)
        with self._programs.confinement.child(reach) as confine:

            def prepare() -> None:
                become()
                confine()

            self._child = spawn(
                program,
                env=child_environment(),
                streams=(log, subprocess.STDOUT),
                cwd=self._directory,
                prepare=prepare,
            )
        return self._child.pid

    def _start_in_namespaces(
        self, bwrap: Path, program: list[str], reach: Reach, log: IO[bytes]
    ) -> int:
        info, theirs = os.pipe()
        try:
            self._child = spawn(
                bubblewrap.command(bwrap, reach, self._directory, program, theirs),
                env=child_environment(),
                streams=(log, subprocess.STDOUT),
                cwd=self._directory,
                account=self._programs.account,
                passed=(theirs,),
            )
        finally:
            os.close(theirs)
        try:
            return _pid_of(info)
        finally:
            os.close(info)

    def runs(self) -> bool:
        """Return whether a server that this process started runs."""
        return self._child is not None and self._child.poll() is None

    def exit_status(self) -> int | None:
        """Return the server's exit status, negative for a signal; None while it runs."""
        status = None if self._child is None else self._child.poll()
        if status is None or self._programs.confinement.bwrap is None:
            return status
        return bubblewrap.status_of(status)

    def wait(self) -> None:
        """Take the exit status of a server that was stopped, if this process started it.

        One that the kernel cannot end is left; the teardown finds it.
        """
        if self._child is not None:
            try:
                self._child.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.returncode = 0

    def let_go(self) -> None:
        """Forget the server, which runs on when this process ends."""
        if self.runs() and self._child is not None:
            # Popen.__del__ warns about a child that still runs (Lib/subprocess.py).
            self._child.returncode = 0


def _pid_of(info: int) -> int:
    """Return the pid that bwrap writes to the pipe `info`; it is that of our own namespace."""
    text = b""
    while not text.rstrip().endswith(b"}"):
        if not select.select([info], [], [], _INFO_SECONDS)[0]:
            break
        part = os.read(info, _INFO_BYTES)
        if not part:
            break
        text += part
    try:
        return int(json.loads(text)["child-pid"])
    except (ValueError, KeyError, TypeError):
        raise HarnessError(
            "bubblewrap did not start the server",
            hint='read the saved server log, or set sandbox.confine = "off".',
        ) from None
