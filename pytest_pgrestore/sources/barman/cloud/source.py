"""Source `barman` with `url`: backups that barman-cloud wrote to an object store.

Source: Barman manual, "barman-cloud-backup-list", "barman-cloud-restore", "barman-cloud-wal-restore".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.barman import catalogue
from pytest_pgrestore.sources.barman.choosing import (
    choose_entry,
    other_candidates_of,
    require_restorable,
)
from pytest_pgrestore.sources.barman.cloud.store import LIST, Store, program_beside
from pytest_pgrestore.sources.barman.put_back import put_back
from pytest_pgrestore.sources.barman.table import BarmanTable
from pytest_pgrestore.sources.barman.tablespaces import tablespace_options
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.tool_source import (
    Choice,
    Log,
    ToolSource,
    hand_over,
    required,
    unheard,
)
from pytest_pgrestore.sources.wal import stored_wal

if TYPE_CHECKING:
    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.protocol import LocateRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore."""

    entry: Entry


class BarmanCloudSource(ToolSource[BarmanTable, _Choice]):
    """Implements `sources.protocol.PhysicalSource` for an object store.

    Args:
        name: The user's name for it.
        table: Its table of the settings file; `url` is given.
    """

    type = "barman"

    @property
    def requirements(self) -> ToolRequirements:
        """What barman-cloud needs to run: the files that variables name are for it, e.g. AWS_CA_BUNDLE."""
        table = self._table
        files = (Path(value) for value in table.env.values() if value.startswith("/"))
        return ToolRequirements(
            program=program_beside(table.program_name, LIST),
            packages=("barman-cli-cloud", "ca-certificates"),
            reads=tuple(path for path in files if path.exists()),
            network=True if table.network is None else table.network,
            on_host=table.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return (stored_wal.CHECK,)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first; backups that are not complete are left out."""
        found = self._store(required(tool_runner, "Barman"), unheard).read()
        return [entry.backup for entry in found.entries if entry.status in catalogue.COMPLETE]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        wanted = self._table.backup
        reader = request.find_tool_runner(None)
        store = self._store(reader, request.log)
        found = store.read()
        entry, selection, left_out = choose_entry(found.entries, wanted, request, store.place)
        require_restorable(entry)
        backup = entry.backup
        tool_runner = request.find_tool_runner(backup.server_major)
        if tool_runner is not reader:
            # The one that restores: another image may have another version.
            store = self._store(tool_runner, request.log)
            found = store.read()
        wal = stored_wal.plan(request, backup, entry.start_file, store.wal(found))
        left_out += [
            f"the description of backup {label} cannot be read" for label in found.unreadable
        ]
        chosen = self._chosen_backup(
            backup,
            wal,
            selection=selection,
            needed_bytes=(entry.restored_bytes + wal.needed_bytes) or None,
            checks=(wal.check(),),
            not_checked=(
                "The files of the backup: barman-cloud stores no manifest to compare them with.",
            ),
            notes=(*left_out, *wal.notes, f"restored from {store.place}"),
            other_candidates=other_candidates_of(found.entries, entry, request, wanted),
            restored_by=f"barman-cloud {found.version}, {tool_runner.origin}",
        )
        return self._keep(chosen, _Choice(wal=wal, log=request.log, entry=entry))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let barman-cloud restore into the sandbox, and bring the WAL ahead of replay."""
        choice, label = self._choice_of(chosen), chosen.backup.label
        store = self._store(sandbox.tool_runner(self.requirements), choice.log)
        store.restore(label, tablespace_options(choice.entry, sandbox), sandbox.data)
        put_back(sandbox, label)
        words = stored_wal.bring(choice.wal, store.bring, sandbox)
        hand_over(sandbox)
        return f"backup {label} restored by barman-cloud; {words}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:  # noqa: ARG002 - the protocol's
        """Return nothing: barman-cloud stores no manifest."""
        return ()

    def _store(self, tool_runner: ToolRunner, log: Log) -> Store:
        """Return the store, read and restored from by barman-cloud."""
        program = program_beside(self._table.program_name, LIST)
        tool = self._backup_tool(tool_runner, log, program=program, AWS_MAX_ATTEMPTS="3")
        return Store(self._table, tool)
