"""Source `barman`: chooses a backup of a Barman home, lets Barman restore it, and lays out its WAL ahead of replay."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.barman import catalogue, checks
from pytest_pgrestore.sources.barman.choosing import (
    choose_entry,
    other_candidates_of,
    require_restorable,
)
from pytest_pgrestore.sources.barman.home import read_catalogue, require_files, require_home
from pytest_pgrestore.sources.barman.messages import failed
from pytest_pgrestore.sources.barman.own_config import Server, config_file, server_of
from pytest_pgrestore.sources.barman.put_back import put_back
from pytest_pgrestore.sources.barman.table import BarmanTable
from pytest_pgrestore.sources.barman.tablespaces import tablespace_options
from pytest_pgrestore.sources.barman.wal import GetWalBringer, ShelfBringer, Shelves, listed
from pytest_pgrestore.sources.basebackup import manifest_check
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
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.protocol import LocateRequest

WORKSHOP = "barman"
"""Directory of the sandbox for Barman's locks, and for what it unpacks or combines first."""

_UNREADABLE = ("custom",)
"""Kinds of WAL compression that only Barman can undo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore."""

    entry: Entry
    shelves: Shelves


class BarmanSource(ToolSource[BarmanTable, _Choice]):
    """Implements `sources.protocol.PhysicalSource` for a Barman home.

    Args:
        name: The user's name for it.
        table: Its table of the settings file; `url` is None.
    """

    type = "barman"

    @cached_property
    def _server(self) -> Server:
        return server_of(self._table.config, self._table.server)

    @property
    def places(self) -> tuple[Path, ...]:
        """Where the backups are: PostgreSQL's programs verify those that a block-level incremental one depends on."""
        return (self._server.backups,)

    @property
    def requirements(self) -> ToolRequirements:
        """What Barman needs to run.

        Raises:
            HarnessError: Its configuration cannot be read.
        """
        table = self._table
        reads = (config_file(table.config), *self._server.places)
        return ToolRequirements(
            program=table.program_name,
            packages=("barman", "rsync"),
            reads=tuple(path for path in reads if path.exists()),
            network=bool(table.network),
            on_host=table.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        own = checks.NAMES if self._table.check else ()
        return (stored_wal.CHECK, *((manifest_check.NAME,) if self._table.verify else ()), *own)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first; backups that are not complete are left out."""
        every, _ = self._catalogue(required(tool_runner, "Barman"), unheard)
        return [entry.backup for entry in every if entry.status in catalogue.COMPLETE]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        server, table = self._server, self._table
        require_home(server)
        reader = request.find_tool_runner(None)
        every, version = self._catalogue(reader, request.log)
        entry, selection, left_out = choose_entry(every, table.backup, request, self._place)
        require_restorable(entry)
        catalogue.require_chain(entry, every)
        backup = entry.backup
        require_files(server, backup)
        has_manifest = self._has_manifest(entry)
        tool_runner = request.find_tool_runner(backup.server_major)
        if tool_runner is not reader:
            # The one that restores: another image may have another version.
            _, version = self._catalogue(tool_runner, request.log)
        shelves = listed(server)
        wal = stored_wal.plan(request, backup, entry.start_file, shelves.wal)
        # Incremental backups are combined beside the copy before they are put in place.
        copies = 2 if backup.chain else 1
        chosen = self._chosen_backup(
            backup,
            wal,
            selection=selection,
            needed_bytes=entry.restored_bytes * copies + wal.needed_bytes,
            checks=(wal.check(), *checks.left_out(self._table, entry, has_manifest)),
            not_checked=checks.not_checked(self._table, has_manifest),
            notes=(*left_out, *wal.notes, *shelves.notes, f"restored from {self._place}"),
            backup_paths=tuple(server.backup(label) for label in (*backup.chain, backup.label)),
            wal_archive_paths=(server.wals,),
            other_candidates=other_candidates_of(every, entry, request, table.backup),
            restored_by=f"Barman {version}, {tool_runner.origin}",
        )
        return self._keep(chosen, _Choice(wal=wal, log=request.log, entry=entry, shelves=shelves))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let Barman restore into the sandbox without WAL, and bring that ahead of replay."""
        choice, label = self._choice_of(chosen), chosen.backup.label
        runner = sandbox.tool_runner(self.requirements)
        tool = self._tool(runner, choice.log, sandbox, chosen.server_major)
        done = tool.run(
            "restore",
            "recover",
            "--jobs",
            str(self._table.jobs or os.cpu_count() or 1),
            # Else it would bring all WAL there is, whatever the target, and only after the files.
            "--get-wal",
            *tablespace_options(choice.entry, sandbox),
            self._server.name,
            label,
            str(sandbox.data),
        )
        if done.status != 0:
            raise failed(done, self._place, f"backup {label} was not restored")
        put_back(sandbox, label)
        words = stored_wal.bring(choice.wal, self._bringer(tool, choice), sandbox)
        shutil.rmtree(sandbox.wal / WORKSHOP / "staging", ignore_errors=True)
        hand_over(sandbox)
        way = "by get-wal" if self._by_tool else "read from Barman's home"
        return f"backup {label} ({chosen.backup.form}) restored by Barman; {words}, {way}"

    def _bringer(self, tool: BackupTool, choice: _Choice) -> stored_wal.Bring:
        if self._by_tool:
            return GetWalBringer(tool, self._server)
        return ShelfBringer(choice.shelves)

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Verify what was restored against the backup's manifest, and have Barman check its own where switched on."""
        choice = self._choice_of(chosen)
        found = []
        if self._table.verify and self._has_manifest(choice.entry):
            inputs = [
                self._server.backup(label) / "data"
                for label in (*chosen.backup.chain, chosen.backup.label)
            ]
            found.append(manifest_check.verify(sandbox, inputs if chosen.backup.chain else []))
        if self._table.check:
            tool = self._tool(
                sandbox.tool_runner(self.requirements),
                choice.log,
                sandbox,
                chosen.server_major,
                mirrored=True,
            )
            found.append(checks.check_backup(tool, self._server.name, chosen.backup.label))
            if not checks.why_not_verified(choice.entry, self._has_manifest(choice.entry)):
                found.append(checks.verify_backup(tool, self._server.name, chosen.backup.label))
        return tuple(found)

    @property
    def _place(self) -> str:
        return f"{self._server.directory} (server {self._server.name})"

    @property
    def _by_tool(self) -> bool:
        """Whether WAL is brought by Barman."""
        return self._table.get_wal or self._server.options.get("compression") in _UNREADABLE

    def _has_manifest(self, entry: Entry) -> bool:
        return (self._server.backup(entry.backup.label) / "data" / "backup_manifest").is_file()

    def _tool(
        self,
        tool_runner: ToolRunner,
        log: Log,
        sandbox: Sandbox | None,
        major: int | None = None,
        *,
        mirrored: bool = False,
    ) -> BackupTool:
        """Return Barman with a configuration of the drill's; see `own_config`.

        Args:
            tool_runner: Where it runs.
            log: Keeps what it prints.
            sandbox: What is restored into; None while it only reads.
            major: Server major whose programs it may need.
            mirrored: Whether it works on a mirror of the home, which it may write to.
        """
        workspace, changes = tool_runner.writable, {}
        if sandbox is not None:
            workspace = sandbox.wal / WORKSHOP
            (workspace / "staging").mkdir(mode=0o700, parents=True, exist_ok=True)
        if mirrored:
            changes = checks.mirror(self._server, workspace / "mirror")
        elif sandbox is not None and self._by_tool:
            changes = {"wals_directory": str(checks.linked(self._server.wals, workspace / "wals"))}
        kind = "reading" if sandbox is None else "checking" if mirrored else "restoring"
        user = pwd.getpwuid(os.geteuid()).pw_name
        text = self._server.derived(workspace, workspace / "staging", major, user, **changes)
        config = tool_runner.scratch / f"barman-{self.name}-{kind}-{os.getpid()}-{id(sandbox)}.conf"
        config.write_text(text, encoding="utf-8")
        tool = self._backup_tool(tool_runner, log)
        return replace(tool, env={**tool.env, "BARMAN_CONFIG_FILE": str(config)})

    def _catalogue(self, tool_runner: ToolRunner, log: Log) -> tuple[list[Entry], str]:
        """Return every backup that Barman knows, and Barman's version."""
        tool = self._tool(tool_runner, log, None)
        return read_catalogue(tool, self._server, self._place)
