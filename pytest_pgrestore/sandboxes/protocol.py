"""What a sandbox offers, whatever it is made of. Imports only values and processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_pgrestore.model.errors import HarnessError
    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.system.process import Completed


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequirements:
    """What a backup tool needs to run.

    Attributes:
        program: Its name, or its path on this machine.
        packages: Debian packages that have it; an image that is built for it gets them.
        reads: Files and directories of this machine it must be able to read: its configuration, a repository.
        writes: Directories of this machine it writes to while it fills a sandbox, beside that.
        network: Whether its repository is reached by the network.
        on_host: Whether it runs on this machine although servers run in containers.
    """

    program: str
    packages: tuple[str, ...] = ()
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    network: bool = False
    on_host: bool = False


class ToolRunner(Protocol):
    """Where a backup tool runs: on this machine, or in a container of its own beside the drill's.

    Paths are the same for us and for the tool. Safe to use from several threads.

    Attributes:
        origin: Where that is, in words, for the evidence.
        network: Which network the tool has, in words; empty where it needs none.
        scratch: Directory of ours whose files the tool can read at the same path; it is removed with the run.
        writable: Directory the tool can write to, ours or its own, even while it only reads.
    """

    @property
    def origin(self) -> str: ...

    @property
    def network(self) -> str: ...

    @property
    def scratch(self) -> Path: ...

    @property
    def writable(self) -> Path: ...

    def run(
        self,
        *argv: str,
        timeout_seconds: float | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run the tool as the user who started pytest; whatever its status, that is not judged here.

        Args:
            argv: The program of the `ToolRequirements` and its arguments; never a secret.
            timeout_seconds: Deadline; None is the drill's.
            env: Variables on top of a clean environment.
            secrets: Variables nobody may see: they reach a container by a file that only its user can read.

        Raises:
            HarnessError: There is no such program, it did not end in time, or the sandbox failed.
        """
        ...


class PostgresPrograms(Protocol):
    """PostgreSQL's programs of one major version, ready to run.

    Attributes:
        major: Their major version.
        origin: Where they were found, for evidence and errors.
        scratch: Directory of ours whose files the programs can read at the same path; it is removed with the run.
    """

    @property
    def major(self) -> int: ...

    @property
    def origin(self) -> str: ...

    @property
    def scratch(self) -> Path: ...

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

    Paths are the same for us and for the programs in it.

    Attributes:
        root: Directory on the file system of `data`; everything below it is gone after `close`.
        data: PGDATA, empty and 0700 at first.
        tablespaces: Where tablespaces go, one directory each, named by OID.
        wal: Empty directory to stage WAL in, on the file system of `data`.
        logs: What is kept after the drill: server log and tool output, no data.
        socket_directory: Holds the server's Unix socket; 0700.
        port: Number in the socket's name.
        programs: PostgreSQL's programs.
        kind: What it is and whom the server runs as, in words, for the evidence.
        network: How egress is cut, in words, for the evidence.
        client_address: How clients of ours connect: host, port, and where it takes a password the file that holds it.
    """

    root: Path
    data: Path
    tablespaces: Path
    wal: Path
    logs: Path
    socket_directory: Path
    port: int
    kind: str
    network: str

    @property
    def client_address(self) -> dict[str, str]: ...

    @property
    def programs(self) -> PostgresPrograms: ...

    def adopt(self, path: Path) -> None:
        """Give a file or tree that we wrote to the server's user."""
        ...

    def own_settings(self) -> dict[str, str]:
        """Return the settings that only the sandbox knows: its own files, and the one way in."""
        ...

    def tool_runner(self, requirements: ToolRequirements) -> ToolRunner:
        """Return where a backup tool runs that fills this sandbox; it can write to `data`, `tablespaces` and `wal`.

        Raises:
            HarnessError: It cannot run there.
        """
        ...

    def stop_tools(self) -> None:
        """End what `tool_runner` gave, and its network with it; before the first server starts."""
        ...

    def start(self, settings: Mapping[str, str]) -> None:
        """Start PostgreSQL on `data` with `settings` on its command line; return at once, ready or not."""
        ...

    def allow_login(self, user: str, options: str) -> str:
        """Let `user` in by `client_address`, where that takes a password; return why not, in psql's words, empty when done.

        Args:
            user: A superuser of the copy.
            options: Startup options of the connection that sees to it.
        """
        ...

    def exit_status(self) -> int | None:
        """Return the server's exit status, negative for a signal; None while it runs."""
        ...

    def why_ended(self) -> str | None:
        """Return why the server may have ended that is no fault of the backup, e.g. memory; None where not known."""
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


class Run(Protocol):
    """One pytest run in one kind of sandbox; shared by all its processes.

    Attributes:
        root: The run's directory.
        timeout_seconds: Deadline of one tool or one wait.
    """

    @property
    def root(self) -> Path: ...

    @property
    def timeout_seconds(self) -> float: ...

    def find_programs(
        self,
        major: int | None,
        *,
        at_least: bool = False,
        reads: Sequence[Path] = (),
        requirements: ToolRequirements | None = None,
    ) -> PostgresPrograms:
        """Return PostgreSQL's programs for `major` (None: the newest).

        Args:
            major: Server major wanted.
            at_least: A newer major will do where this one is not to be had: enough for a dump.
            reads: Files and directories of backups the programs must be able to read.
            requirements: The backup tool that is to run beside them.

        Raises:
            HarnessError: There are none; every place looked at is named.
        """
        ...

    def tool_runner(self, requirements: ToolRequirements, major: int | None) -> ToolRunner:
        """Return where a backup tool runs that only reads; `major` is the server's, None where not known yet.

        Raises:
            HarnessError: It cannot run there.
        """
        ...

    def sandbox(
        self,
        drill_key: str,
        programs: PostgresPrograms,
        needed_bytes: int | None = None,
        reads: Sequence[Path] = (),
    ) -> Sandbox:
        """Return a fresh sandbox for one drill.

        Raises:
            HarnessError: There is no room for `needed_bytes`.
        """
        ...

    def close_drill(self, drill_key: str) -> Teardown:
        """Stop the drill's server, remove its copy, and prove it; from any process of the run."""
        ...

    def note_state(self, drill_key: str) -> str | None:
        """Put what the system knows of the drill's sandbox beside its logs, from any process of the run.

        Returns why its server may have ended that is no fault of the backup, e.g. memory; None where not known.
        """
        ...

    def keep_drill(self, drill_key: str) -> str:
        """Leave the drill's server running after the run; return how to connect and how to remove it."""
        ...

    def close(self) -> list[str]:
        """Remove everything that is left and not kept; return what could not be removed."""
        ...

    def time_limit_error(self) -> HarnessError | None:
        """Return what to tell when the run's time limit has passed and its copies were removed; None before."""
        ...

    def drill_root(self, drill_key: str) -> Path:
        """Return the directory of a drill on this machine, whether it is there or not; its logs are in ``logs``."""
        ...
