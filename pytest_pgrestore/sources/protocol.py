"""What a source of backups does, whatever tool it uses. Imports only values and the sandbox's protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from typing_extensions import TypeIs

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget, Timeline
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sandboxes.protocol import (
        PostgresPrograms,
        Sandbox,
        ToolRequirements,
        ToolRunner,
    )


@dataclass(frozen=True, slots=True)
class LocateRequest:
    """What `Source.locate` is asked.

    Attributes:
        target: Where recovery is to stop.
        timeline: Which timeline to follow there.
        now: Start of the drill, aware; ages are measured from it.
        find_programs: Finds PostgreSQL's programs for a server major (None: the newest).
        find_tool_runner: Finds where the source's backup tool runs while it only reads, for a server major.
        log: Keeps what a tool printed, under a name, beside the drill's other logs.
    """

    target: RecoveryTarget
    timeline: Timeline
    now: datetime
    find_programs: Callable[[int | None], PostgresPrograms]
    find_tool_runner: Callable[[int | None], ToolRunner]
    log: Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenBackup:
    """The backup chosen for a request, and what restoring it takes.

    Attributes:
        backup: The chosen entry of the catalogue.
        selection: Why this one, in words.
        server_major: Major version of the server to restore under.
        needed_bytes: Disk space the restore takes, estimated; None where unknown.
        timeline: Timeline recovery must end on; None where there is no recovery.
        archive_end: End of the last WAL segment recovery can get at without a hole; None without an archive.
        checks: Verdicts reached already, e.g. that the archive has no hole.
        not_checked: What this source cannot know, a sentence each.
        notes: What a reader should know.
        backup_paths: Files and directories of the backup, which must be the same after the drill.
        wal_archive_paths: Directories that production adds WAL to while the drill runs.
        other_candidates: Older backups that may reach the target where this one does not: where it lies only their WAL tells.
        restored_by: Backup tool, its version and where it runs; empty where PostgreSQL's own programs do it.
        rto_not_comparable: Why the time of this restore is not that of one in a disaster; empty where it is.
    """

    backup: Backup
    selection: str
    server_major: int
    needed_bytes: int | None = None
    timeline: int | None = None
    archive_end: Lsn | None = None
    checks: tuple[Check, ...] = ()
    not_checked: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    backup_paths: tuple[Path, ...] = ()
    wal_archive_paths: tuple[Path, ...] = ()
    other_candidates: tuple[str, ...] = ()
    restored_by: str = ""
    rto_not_comparable: str = ""


class Source(Protocol):
    """A named place of backups.

    Attributes:
        name: The user's name for it.
        type: The tool, as in ``pgrestore.toml``.
        places: Files and directories of this machine that hold the backups; tools must be able to read them.
        requirements: What its backup tool needs to run; None where PostgreSQL's own programs do.
    """

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def places(self) -> tuple[Path, ...]: ...

    @property
    def requirements(self) -> ToolRequirements | None: ...

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first.

        Args:
            tool_runner: Where the tool of `requirements` runs; None where there is no need.

        Raises:
            HarnessError: It could not be read: missing directory, permission.
        """
        ...

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request`, reading only.

        Raises:
            BackupNotRestorable: No backup, a damaged one, or (TargetUnreachable) none that reaches the target.
            HarnessError: The catalogue could not be read.
        """
        ...

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:
        """Return the names of the checks this source will report, known before anything runs."""
        ...


class PhysicalSource(Source, Protocol):
    """Restores files and WAL: recovery follows."""

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Fill `sandbox.data`, tablespaces included, with the server's user as owner.

        WAL is not part of it: see `stage_wal`. Returns what happened, in words, for the phase.

        Raises:
            BackupNotRestorable: The backup is cut short or does not unpack.
            HarnessError: Disk full, tool missing.
        """
        ...

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Verify the restored files against the backup's manifest before anything touches them, or have its tool do so.

        A failed verification is a failed check and not an exception; no manifest is *could not verify*
        or a sentence in `ChosenBackup.not_checked`.
        """
        ...

    def stage_wal(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Put the WAL that recovery needs into ``sandbox.data/pg_wal``, complete and plain.

        Returns words for the phase.

        Raises:
            BackupNotRestorable: A segment is damaged, foreign or of the wrong size.
        """
        ...

    def reachable(self, chosen: ChosenBackup, sandbox: Sandbox) -> list[str]:
        """Return the reachable points nearest the target, for the message of a target that was missed."""
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """How a tool or psycopg reaches a running server: no host but a socket, no password.

    Attributes:
        socket_directory: Value for `host`.
        port: Value for `port`.
        user: A superuser.
        database: Where to connect.
        options: Startup options, which beat ALTER ROLE/DATABASE ... SET.
        client_address: How psycopg connects from here where that is not the socket.
    """

    socket_directory: Path
    port: int
    user: str
    database: str
    options: str = ""
    client_address: Mapping[str, str] | None = None

    def conninfo(self, database: str | None = None) -> str:
        """Return a connection string for ``psycopg.connect``."""
        from psycopg.conninfo import make_conninfo

        client_address = self.client_address or {
            "host": str(self.socket_directory),
            "port": str(self.port),
        }
        return make_conninfo(
            **client_address,
            user=self.user,
            dbname=database or self.database,
            options=self.options,
        )

    def arguments(self) -> list[str]:
        """Return the connection arguments of psql, pg_restore and their kin."""
        return [
            "--host",
            str(self.socket_directory),
            "--port",
            str(self.port),
            "--username",
            self.user,
        ]


class LogicalSource(Source, Protocol):
    """Restores by loading SQL into an empty, running server: no recovery."""

    def load(
        self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection
    ) -> tuple[str, str]:
        """Load the dump through `connection`, which names an empty cluster's ``postgres`` database.

        Returns:
            The database to run assertions in, and what happened, in words, for the phase.

        Raises:
            BackupNotRestorable: A tool reported any error, or the dump was cut short.
            HarnessError: The sandbox lacks an extension, disk full.
        """
        ...

    def contents(self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection) -> Check:
        """Compare what the dump's table of contents promised with what the server's catalogue holds."""
        ...


def is_logical(source: LogicalSource | PhysicalSource) -> TypeIs[LogicalSource]:
    """Tell whether `source` loads SQL (True) or restores files (False)."""
    return hasattr(source, "load")
