"""What a source of backups does, whatever tool it uses.

Imports values of `model` and the sandboxes' protocols only. Plugins implement one of two protocols.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pytest_pgrestore.sources.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable
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


__all__ = [
    "ChosenBackup",
    "CommonSource",
    "Connection",
    "LocateRequest",
    "LogicalSource",
    "PhysicalSource",
    "Source",
    "is_logical",
]


@dataclass(frozen=True, slots=True)
class LocateRequest:
    """What `locate` of a source needs to know.

    Attributes:
        target: Where recovery stops.
        timeline: Which timeline recovery follows.
        now: Start of the drill, with a timezone. Ages are measured from it.
        find_programs: Returns PostgreSQL's programs of a server major; None means the newest.
        find_tool_runner: Returns where the backup tool runs, for a server major. It only reads.
        log: Saves a tool's output under a name, in the drill's logs.
    """

    target: RecoveryTarget
    timeline: Timeline
    now: datetime
    find_programs: Callable[[int | None], PostgresPrograms]
    find_tool_runner: Callable[[int | None], ToolRunner]
    log: Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenBackup:
    """The backup chosen for a request, and what its restore needs.

    Attributes:
        backup: The chosen entry of the catalogue.
        selection: Why this backup was chosen, in words.
        server_major: Major version of the server to restore under.
        needed_bytes: Estimate of the disk space the restore needs; None if unknown.
        timeline: Timeline on which recovery must end; None if there is no recovery.
        timeline_begins: Where that timeline begins; None if it is the backup's own.
        archive_end: End of the last WAL segment before any gap; None without an archive.
        checks: Checks that are finished already, for example that the archive has no gap.
        not_checked: What this source cannot verify, one sentence each.
        notes: Other facts for the reader of the report.
        backup_paths: Files and directories of the backup. They must be unchanged after the drill.
        wal_archive_paths: Directories to which production adds WAL while the drill runs.
        other_candidates: Older backups that might reach the target although this one cannot; only
            their WAL can tell.
        restored_by: Backup tool, its version and where it runs; empty without such a tool.
        rto_not_comparable: Why this restore time differs from a real disaster's; empty if not.
    """

    backup: Backup
    selection: str
    server_major: int
    needed_bytes: int | None = None
    timeline: int | None = None
    timeline_begins: Lsn | None = None
    archive_end: Lsn | None = None
    checks: tuple[Check, ...] = ()
    not_checked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    backup_paths: tuple[Path, ...] = ()
    wal_archive_paths: tuple[Path, ...] = ()
    other_candidates: tuple[str, ...] = ()
    restored_by: str = ""
    rto_not_comparable: str = ""


class CommonSource(Protocol):
    """What both kinds of sources do: list their backups and choose one.

    Attributes:
        name: The user's name for the source.
        type: The type of source, as in ``pgrestore.toml``.
        places: Files and directories of this machine that hold the backups, for tools to read.
        requirements: What the source's backup tool needs to run; None without such a tool.
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
        """Return the catalogue, oldest backup first.

        Args:
            tool_runner: Where the tool of `requirements` runs; None if the source has no tool.

        Raises:
            HarnessError: The catalogue cannot be read: missing directory, permission.
        """
        ...

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request`. This method only reads.

        Raises:
            BackupNotRestorable: There is no backup, or it is damaged.
            TargetUnreachable: No backup reaches the target.
            HarnessError: The catalogue cannot be read.
        """
        ...

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:
        """Return the names of the checks this source will report. Runs nothing."""
        ...


class PhysicalSource(CommonSource, Protocol):
    """A source that restores files and WAL. Recovery follows."""

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Fill `sandbox.data` and its tablespaces; the server's user owns the files afterwards.

        WAL is not included: see `stage_wal`. Returns what was done, for the phase's report.

        Raises:
            BackupNotRestorable: The backup is cut short or cannot be unpacked.
            HarnessError: The disk is full, or a tool is missing.
        """
        ...

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Compare the restored files with the backup's manifest, before anything changes them.

        A source may let its backup tool verify instead. A difference is a failed check and not an
        exception. A missing manifest is the verdict *could not verify*, or a sentence in
        `ChosenBackup.not_checked`.
        """
        ...

    def stage_wal(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Put the WAL that recovery needs into ``sandbox.data/pg_wal``, complete and uncompressed.

        Returns what was done, for the phase's report.

        Raises:
            BackupNotRestorable: A segment is damaged, of the wrong size, or of another cluster.
        """
        ...

    def reachable(self, chosen: ChosenBackup, sandbox: Sandbox) -> list[str]:
        """Return the reachable points nearest to the target, for the error of a missed target."""
        ...


class LogicalSource(CommonSource, Protocol):
    """A source that loads SQL into an empty, running server. There is no recovery."""

    def load(
        self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection
    ) -> tuple[str, str]:
        """Load the dump through `connection`, to the ``postgres`` database of an empty cluster.

        Returns:
            The database in which assertions run, and what was done, for the phase's report.

        Raises:
            BackupNotRestorable: A tool reported any error, or the dump is cut short.
            HarnessError: The sandbox lacks an extension, or its disk is full.
        """
        ...

    def contents(self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection) -> Check:
        """Compare the dump's table of contents with the catalogue of the restored server."""
        ...


Source: TypeAlias = PhysicalSource | LogicalSource
"""A named place of backups."""


def is_logical(source: Source) -> TypeIs[LogicalSource]:
    """Return True if `source` loads SQL, False if it restores files."""
    return hasattr(source, "load")
