"""Source `command`: backups that commands of the user list and fetch.

It is for whatever has no source of its own: snapshots, operators, other tools. docs/command.md
describes the commands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import is_segment_name
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.basebackup import manifest_check
from pytest_pgrestore.sources.basebackup.unpacking import TABLESPACE_MAP
from pytest_pgrestore.sources.command import catalogue
from pytest_pgrestore.sources.command.commands import (
    commands_of,
    failed,
    require_commands,
    run_command,
)
from pytest_pgrestore.sources.command.wal import Bringer, history_text
from pytest_pgrestore.sources.restored_files import remove_file
from pytest_pgrestore.sources.tool_source import (
    Choice,
    ToolSource,
    hand_over,
    log_nothing,
    pick_among,
    required,
)
from pytest_pgrestore.sources.wal import stored_wal
from pytest_pgrestore.sources.wal.newer_cluster import require_no_newer_cluster
from pytest_pgrestore.sources.wal.stored_wal import StoredWal
from pytest_pgrestore.sources.wal.timelines import histories_among

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.command.table import CommandTable
    from pytest_pgrestore.sources.protocol import ChosenBackup, LocateRequest

_GROWTH = 1.2
"""Disk for a restore, as a multiple of the size that the catalogue reports."""

_NOT_CHECKED = "Whether the commands left the backups as they were: they are the user's own."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore.

    Attributes:
        newest: Whether the newest backup was chosen, and not named by the user.
    """

    newest: bool


class CommandSource(ToolSource[_Choice]):
    """Implements `sources.protocol.PhysicalSource` with commands of the user.

    Args:
        name: The user's name for the source.
        table: Its table of the settings file.

    Raises:
        ConfigError: A command is empty, has a placeholder it does not get, or lacks one it needs.
    """

    type = "command"

    def __init__(self, name: str, table: CommandTable) -> None:
        super().__init__(name)
        self._table = table
        require_commands(name, table)

    @property
    def requirements(self) -> ToolRequirements:
        """What the commands need to run: programs named by a path, and `read_paths`."""
        table = self._table
        programs = [Path(command[0]) for command in commands_of(table).values()]
        reads = [*(path for path in programs if path.is_absolute()), *table.read_paths]
        return ToolRequirements(
            program=table.list[0],
            reads=tuple(dict.fromkeys(path for path in reads if path.exists())),
            network=bool(table.network),
            on_host=table.on_host,
            users_own=True,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - of the protocol
        """Return the names of the checks that this source reports, for every target."""
        return (stored_wal.CHECK, *((manifest_check.NAME,) if self._table.verify else ()))

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first."""
        tool = self._tool(required(tool_runner, "its command"), log_nothing)
        return [backup for backup, _ in self._catalogue(tool)]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and check that its target can be reached; read only."""
        tool = self._tool(request.find_tool_runner(None), request.log)
        entries = self._catalogue(tool)
        if not entries:
            raise BackupNotRestorable(
                f"there is no backup in the list of source {self.name}",
                hint="find out why the backup job writes none, or correct the command `list`.",
            )
        stored = self._stored_wal(tool)
        pick = pick_among(entries, stored, request, self._table.backup)
        picked, backup = pick.picked, pick.picked.backup
        wal = stored_wal.plan(request, backup, pick.start_file, stored, pick.graph)
        restored_by = f"command {self._table.fetch[0]}, {tool.tool_runner.origin}"
        chosen = self._chosen(picked, wal, restored_by)
        if backup.size_bytes is not None:
            needed_bytes = int(backup.size_bytes * _GROWTH) + wal.needed_bytes
            chosen = replace(chosen, needed_bytes=needed_bytes)
        chosen = replace(chosen, not_checked=(_NOT_CHECKED,))
        return self._keep(chosen, _Choice(wal=wal, log=request.log, newest=pick.newest))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let the user's command fill the sandbox, and fetch the WAL."""
        choice, label = self._choice_of(chosen), chosen.backup.label
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log)
        places = {
            "backup": label,
            "data": str(sandbox.data),
            "tablespaces": str(sandbox.tablespaces),
        }
        done = run_command(tool, self._table.fetch, "fetch", places)
        if done.status != 0:
            raise failed(done, f"backup {label} was not fetched")
        if not (sandbox.data / "PG_VERSION").exists():
            raise HarnessError(
                "the fetch command ended with status 0 and left no PG_VERSION in {data} for"
                f" backup {label}",
                hint="it is to put the files of the data directory into {data} itself, not below"
                " it.",
            )
        # A server makes the links of tablespaces from this file, which names paths of production
        # (PostgreSQL, read_tablespace_map in access/transam/xlogrecovery.c). A link that leaves
        # the sandbox is refused later.
        remove_file(sandbox.data, TABLESPACE_MAP)

        bring = Bringer(tool, self._table.wal_fetch, choice.wal)
        words = stored_wal.bring(choice.wal, bring, sandbox)
        if choice.newest:
            require_no_newer_cluster(choice.wal, chosen.backup, bring, sandbox)
        hand_over(sandbox)
        return f"backup {label} fetched by {self._table.fetch[0]}; {words}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:  # noqa: ARG002 - of the protocol
        """Run pg_verifybackup on the restored files, unless the settings switch it off."""
        if not self._table.verify:
            return (manifest_check.switched_off(),)
        return (manifest_check.verify(sandbox, []),)

    def _tool(self, tool_runner: ToolRunner, log: Callable[[str, str], None]) -> BackupTool:
        table = self._table
        return BackupTool(
            tool_runner=tool_runner,
            program=table.list[0],
            env=table.env,
            secrets=table.secrets,
            log=log,
        )

    def _catalogue(self, tool: BackupTool) -> list[tuple[Backup, str]]:
        done = run_command(tool, self._table.list, "catalogue")
        if done.status != 0:
            raise failed(done, "the backups could not be listed")
        return catalogue.parse(done.stdout, f"the list of source {self.name}")

    def _stored_wal(self, tool: BackupTool) -> StoredWal:
        done = run_command(tool, self._table.wal_list, "repository", quiet=True)
        if done.status != 0:
            raise failed(done, "the WAL could not be listed")
        names = done.stdout.split()
        segments = {name: None for name in names if is_segment_name(name)}
        fetch = self._table.wal_fetch
        histories = {
            timeline: history_text(tool, fetch, name)
            for timeline, name in histories_among(names).items()
        }
        return StoredWal(segments=segments, histories=histories)
