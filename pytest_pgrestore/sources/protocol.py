"""What a source of backups does, whatever tool it uses.

Imports values of `model` and the sandboxes' protocols only. Plugins implement one of two protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from pytest_pgrestore.sources.connection import Connection
from pytest_pgrestore.sources.requests import ChosenBackup, Loaded, LocateRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import TypeIs

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import (
        Sandbox,
        ToolRequirements,
        ToolRunner,
    )


__all__ = [
    "ChosenBackup",
    "CommonSource",
    "Connection",
    "Loaded",
    "LocateRequest",
    "LogicalSource",
    "PhysicalSource",
    "Source",
    "is_logical",
    "settled",
]


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
    ) -> Loaded | tuple[str, str]:
        """Load the dump through `connection`, to the ``postgres`` database of an empty cluster.

        Returns:
            The database in which assertions run, and what was done, for the phase's report.
            `Loaded` has room for more.

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


def settled(source: PhysicalSource, chosen: ChosenBackup) -> ChosenBackup:
    """Return the chosen backup with what only its restored files tell; use it after `fetch`.

    A source that learns something then has a method of this name. Most sources have none.
    """
    late: Callable[[ChosenBackup], ChosenBackup] | None = getattr(source, "settled", None)
    return chosen if late is None else late(chosen)
