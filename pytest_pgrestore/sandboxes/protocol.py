"""What a sandbox offers, whatever it is made of. Imports only values and processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.process import Completed


class Tools(Protocol):
    """PostgreSQL's programs of one major version, ready to run.

    Attributes:
        major: Their major version.
        origin: Where they were found, for evidence and errors.
    """

    @property
    def major(self) -> int: ...

    @property
    def origin(self) -> str: ...

    def run(
        self,
        tool: str,
        *arguments: str,
        timeout_seconds: float | None = None,
        stdin: Iterable[bytes] | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        as_caller: bool = False,
    ) -> Completed:
        """Run PostgreSQL's program `tool`, e.g. ``pg_restore``.

        Args:
            tool: Name of the program, without directory.
            arguments: Its arguments; never a secret.
            timeout_seconds: Deadline; None is the drill's.
            stdin: Chunks for its standard input.
            env: Variables on top of the clean environment of `process.child_environment`.
            check: Whether a status other than 0 raises HarnessError.
            as_caller: Run as the user who started pytest (who may read the backup) and not as the server's
                unprivileged user. Only for tools that cannot be made to run code by what they read.
        """
        ...


class Sandbox(Protocol):
    """A throwaway place for one drill: directories, PostgreSQL's programs, at most one running server.

    Attributes:
        root: Directory of the drill; everything below it is gone after `close`.
        data: PGDATA, empty and 0700 at first.
        tablespaces: Where tablespaces go, one directory each, named by OID.
        wal: Empty directory to stage WAL in, on the file system of `data`.
        logs: What is kept after the drill: server log and tool output, no data.
        socket_directory: Holds the server's Unix socket; 0700.
        port: Number in the socket's name.
        tools: PostgreSQL's programs.
        network: How egress is cut, in words, for the evidence.
    """

    root: Path
    data: Path
    tablespaces: Path
    wal: Path
    logs: Path
    socket_directory: Path
    port: int
    network: str

    @property
    def tools(self) -> Tools: ...

    def adopt(self, path: Path) -> None:
        """Give a file or tree that we wrote to the server's user."""
        ...

    def start(self, settings: Mapping[str, str]) -> None:
        """Start PostgreSQL on `data` with `settings` on its command line; return at once, ready or not."""
        ...

    def exit_status(self) -> int | None:
        """Return the server's exit status, negative for a signal; None while it runs."""
        ...

    def server_log(self) -> Path:
        """Return the file that holds the server's messages since the last start."""
        ...

    def network_interfaces(self) -> list[str] | None:
        """Return the network interfaces the running server has, asked from the system; ``lo`` is one of them.

        Interfaces without an address or a route are left out: the kernel makes some in every namespace, all down.
        None where the system does not tell.
        """
        ...

    def open_sockets(self) -> list[str]:
        """Return the Unix sockets of other PostgreSQL servers that the running server could connect to."""
        ...

    def stop(self) -> None:
        """Stop the server and wait for it; nothing to do when none runs."""
        ...

    def close(self) -> Teardown:
        """Stop the server, remove everything, and prove it. Safe to call twice."""
        ...
