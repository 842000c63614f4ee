"""The protocols of sandboxes. Long: plugin authors read and implement them together.

Imports only values and processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_pgrestore.model.errors import HarnessError
    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.system.account import Account
    from pytest_pgrestore.system.process import Completed


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequirements:
    """What a backup tool needs to run.

    Attributes:
        program: Its name, or its path on this machine.
        packages: Debian packages that contain it. An image that we build gets them.
        reads: Files and directories of this machine that it reads: configuration, repository.
        writes: Directories of this machine that it writes to, beside the sandbox it fills.
        network: Whether its repository is reached through the network.
        on_host: Whether it runs on this machine even if servers run in containers.
        users_own: Whether it is a program of the user's own, which is not confined on this machine.
    """

    program: str
    packages: tuple[str, ...] = ()
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    network: bool = False
    on_host: bool = False
    users_own: bool = False


class ToolRunner(Protocol):
    """Where a backup tool runs: on this machine, or in a container of its own beside the drill's.

    A path means the same for us and for the tool. Safe to use from several threads.

    Attributes:
        origin: Where it runs, in words, for the evidence.
        network: The tool's network, in words; empty if it needs none.
        scratch: Directory of ours that the tool reads at the same path; removed with the run.
        writable: Directory that the tool can write to, even if it only reads a repository.
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
        """Run the tool as the user who started pytest. The caller judges its exit status.

        Args:
            argv: The program of the `ToolRequirements` and its arguments; never a secret.
            timeout_seconds: Deadline; None is the drill's.
            env: Variables on top of a clean environment.
            secrets: Variables that nobody else may see. A container gets them in a file that only
                its user can read.

        Raises:
            HarnessError: There is no such program, it did not end in time, or the sandbox failed.
        """
        ...


class PostgresPrograms(Protocol):
    """PostgreSQL's programs of one major version, ready to run.

    Attributes:
        major: Their major version.
        account: The user who runs them, beside the caller.
        origin: Where they were found, for evidence and errors.
        scratch: Directory of ours that the programs read at the same path; removed with the run.
    """

    @property
    def major(self) -> int: ...

    @property
    def account(self) -> Account: ...

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
            as_caller: Run as the user who started pytest, who may read the backup, and not as the
                server's user. Only for programs that never execute code from their input.
        """
        ...


class Sandbox(Protocol):
    """A throwaway place for one drill: directories, PostgreSQL's programs, at most one server.

    A path means the same for us and for the programs in it.

    Attributes:
        root: Directory on the file system of `data`; `close` removes everything below it.
        data: PGDATA, empty and 0700 at first.
        tablespaces: Directory for tablespaces, one directory each, named by OID.
        wal: Empty directory to stage WAL in, on the file system of `data`.
        logs: Kept after the drill: server log and tool output, no data.
        socket_directory: Holds the server's Unix socket; 0700.
        port: Number in the socket's name.
        programs: PostgreSQL's programs.
        kind: Kind of sandbox and user of the server, in words, for the evidence.
        network: How the network is cut off, in words, for the evidence.
        confinement: What the server can reach of this machine, in words, for the evidence.
        confined: Whether anything but permissions keeps it from the files of this machine.
        client_address: How our clients connect: host, port, and passfile if a password is needed.
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
    confinement: str
    confined: bool

    @property
    def client_address(self) -> dict[str, str]: ...

    @property
    def programs(self) -> PostgresPrograms: ...

    def adopt(self, path: Path) -> None:
        """Make the server's user the owner of a file or tree that we wrote."""
        ...

    def own_settings(self) -> dict[str, str]:
        """Return the settings that only the sandbox knows: its files, and where it listens."""
        ...

    def tool_runner(self, requirements: ToolRequirements) -> ToolRunner:
        """Return where a backup tool runs that fills this sandbox.

        The tool can write to `data`, `tablespaces` and `wal`.

        Raises:
            HarnessError: It cannot run there.
        """
        ...

    def stop_tools(self) -> None:
        """End the tools of `tool_runner` and their network. Called before a server starts."""
        ...

    def start(self, settings: Mapping[str, str]) -> None:
        """Start PostgreSQL with `settings` as arguments; return at once, ready or not."""
        ...

    def allow_login(self, user: str, options: str) -> str:
        """Allow `user` to log in, setting a password if one is needed.

        Returns psql's error message, or "" on success.

        Args:
            user: A superuser of the copy.
            options: Startup options of the connection that sets the password.
        """
        ...

    def exit_status(self) -> int | None:
        """Return the server's exit status, negative for a signal; None while it runs."""
        ...

    def server_process(self) -> int | None:
        """Return the process id of the running server, as this machine counts.

        It is the process that listens at the socket; None if it is not known.
        """
        ...

    def why_ended(self) -> str | None:
        """Return why the server may have ended, if that is no fault of the backup, e.g. memory.

        None if nothing is known.
        """
        ...

    def server_log(self) -> Path:
        """Return the file that holds the server's messages since the last start."""
        ...

    def network_interfaces(self) -> list[str] | None:
        """Return the network interfaces of the running server, as the system shows them.

        ``lo`` is one of them. Interfaces without an address or a route are left out: the kernel
        makes some in every namespace, all down. None if the system does not show them.
        """
        ...

    def open_sockets(self) -> list[str]:
        """Return the Unix sockets of other servers that the running server could connect to."""
        ...

    def stop(self) -> None:
        """Stop the server and wait for it, if one runs."""
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
            at_least: Take a newer major if this one is missing: enough for a dump.
            reads: Files and directories of backups that the programs must be able to read.
            requirements: The backup tool that will run beside them.

        Raises:
            HarnessError: There are none. The error names every place searched.
        """
        ...

    def tool_runner(self, requirements: ToolRequirements, major: int | None) -> ToolRunner:
        """Return where a backup tool runs that only reads.

        Args:
            requirements: The tool.
            major: Major of the server; None if not known yet.

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

        Args:
            drill_key: Of the drill.
            programs: From `find_programs`.
            needed_bytes: Estimate of the copy's size; None if unknown.
            reads: Files and directories of backups that its programs must be able to read.

        Raises:
            HarnessError: There is no room for `needed_bytes`.
        """
        ...

    def close_drill(self, drill_key: str) -> Teardown:
        """Stop the drill's server, remove its copy, and prove it.

        Any process of the run may call this.
        """
        ...

    def note_state(self, drill_key: str) -> str | None:
        """Save the sandbox's state next to the drill's logs. Any process of the run may call this.

        Returns why its server may have ended, if that is no fault of the backup, e.g. memory; None
        if nothing is known.
        """
        ...

    def keep_drill(self, drill_key: str) -> str:
        """Leave the drill's server running; return how to connect and how to remove it."""
        ...

    def close(self) -> list[str]:
        """Remove everything that is left and not kept; return what could not be removed."""
        ...

    def time_limit_error(self) -> HarnessError | None:
        """Return the error if the run's time limit has passed and its copies were removed."""
        ...

    def drill_root(self, drill_key: str) -> Path:
        """Return the directory of a drill on this machine, whether it exists or not.

        Its logs are in ``logs``.
        """
        ...
