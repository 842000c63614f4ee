"""Source `barman`: chooses a backup of a Barman home, and lets Barman restore it.

WAL is read from the home before the server starts; see `sources.wal.stored_wal`.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.barman import catalogue, checks
from pytest_pgrestore.sources.barman.bringing import (
    GetWalBringer,
    ShelfBringer,
    bringer_of,
)
from pytest_pgrestore.sources.barman.choosing import Catalogue, choose_entry
from pytest_pgrestore.sources.barman.commands import (
    Found,
    Setup,
    place_of,
    read_catalogue,
    restore,
    workspace_of,
)
from pytest_pgrestore.sources.barman.drill_config import STAGING
from pytest_pgrestore.sources.barman.home import require_files, require_home
from pytest_pgrestore.sources.barman.open_place import require_open
from pytest_pgrestore.sources.barman.own_config import Server, config_file, server_of
from pytest_pgrestore.sources.barman.put_back import put_back, tablespace_options
from pytest_pgrestore.sources.barman.wal import Shelves, listed, traces
from pytest_pgrestore.sources.basebackup import manifest_check
from pytest_pgrestore.sources.tool_source import (
    Choice,
    ToolSource,
    hand_over,
    log_nothing,
    required,
)
from pytest_pgrestore.sources.wal import stored_wal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.table import BarmanTable
    from pytest_pgrestore.sources.protocol import ChosenBackup, LocateRequest

_ONLY_BARMAN_UNPACKS = ("custom",)
"""Values of the option `compression` of WAL that only Barman can decompress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore.

    Attributes:
        entry: The chosen entry of the catalogue.
        shelves: The WAL of the home.
    """

    entry: Entry
    shelves: Shelves


class BarmanSource(ToolSource[_Choice]):
    """Implements `sources.protocol.PhysicalSource` for a Barman home.

    Args:
        name: The user's name for the source.
        table: Its table of the settings file; `url` is None.
    """

    type = "barman"

    def __init__(self, name: str, table: BarmanTable) -> None:
        super().__init__(name)
        self._table = table

    @cached_property
    def _server(self) -> Server:
        return server_of(self._table.config, self._table.server)

    @property
    def places(self) -> tuple[Path, ...]:
        """Paths of the backups and of WAL.

        pg_verifybackup reads the chain of an incremental backup; pg_waldump looks for a name or a
        transaction in WAL.
        """
        return (self._server.backups, self._server.wals)

    @property
    def requirements(self) -> ToolRequirements:
        """What Barman needs to run.

        Raises:
            HarnessError: Its configuration or its home cannot be read.
        """
        table = self._table
        reads = (config_file(table.config), *self._server.places)
        for path in reads:
            require_open(path)
        return ToolRequirements(
            program=table.program,
            packages=("barman", "rsync"),
            reads=tuple(path for path in reads if path.exists()),
            network=bool(table.network),
            on_host=table.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - of the protocol
        """Return the names of the checks that this source reports, for every target."""
        manifest = (manifest_check.NAME,) if self._table.verify else ()
        own = checks.NAMES if self._table.check else ()
        return (stored_wal.CHECK, *manifest, *own)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first, without backups that are not complete."""
        found = self._read(required(tool_runner, "Barman"), log_nothing)
        return [entry.backup for entry in found.entries if entry.status in catalogue.COMPLETE]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and check that its target can be reached; read only."""
        server = self._server
        require_home(server)
        first = self._read(request.find_tool_runner(None), request.log)
        place = place_of(server)
        shelves = listed(server)
        searched = {} if self._by_get_wal else shelves.searched(request.target)
        known = Catalogue(first.entries, shelves.wal, searched, traces(server, shelves), place)
        best = choose_entry(known, request, self._table.backup)
        entry, backup = best.entry, best.picked.backup
        catalogue.require_chain(entry, first.entries)
        tool_runner, found = self._read_again(
            request, best.picked, first, lambda runner: self._read(runner, request.log)
        )
        require_files(server, backup)
        wal = stored_wal.plan(request, backup, entry.start_file, shelves.wal, best.graph)
        chosen = self._chosen(best.picked, wal, f"Barman {found.version}, {tool_runner.origin}")
        # To combine a chain of incremental backups, its files are needed a second time.
        files = entry.restored_bytes * (2 if backup.chain else 1)
        chosen = replace(
            chosen,
            needed_bytes=files + wal.needed_bytes,
            checks=(*chosen.checks, *self._skipped(entry)),
            not_checked=self._not_checked(entry),
            notes=(*best.notes, *chosen.notes, *shelves.notes, f"restored from {place}"),
            backup_paths=tuple(server.backup(label) for label in (*backup.chain, backup.label)),
            wal_archive_paths=(server.wals,),
        )
        return self._keep(chosen, _Choice(wal=wal, log=request.log, entry=entry, shelves=shelves))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let Barman restore into the sandbox without WAL, and fetch the WAL."""
        choice, label = self._choice_of(chosen), chosen.backup.label
        needed = [*(file.name for file in choice.wal.found.files), *choice.wal.beyond]
        barmans = self._by_get_wal or choice.shelves.only_barman_reads(needed)
        tool = self._setup.for_restoring(
            sandbox,
            sandbox.tool_runner(self.requirements),
            choice.log,
            fetches_wal=bool(barmans),
        )
        jobs = ("--jobs", str(self._table.jobs or os.cpu_count() or 1))
        maps = tablespace_options(choice.entry.tablespaces, sandbox)
        restore(tool, self._server, label, (*jobs, *maps), sandbox.data)
        put_back(sandbox, label)
        bring, way = bringer_of(
            ShelfBringer(choice.shelves, choice.wal.segment_bytes),
            GetWalBringer(tool, self._server),
            all_by_barman=self._by_get_wal,
            some_by_barman=bool(barmans),
        )
        words = stored_wal.bring(choice.wal, bring, sandbox)
        shutil.rmtree(workspace_of(sandbox) / STAGING, ignore_errors=True)
        hand_over(sandbox)
        return f"backup {label} ({chosen.backup.form}) restored by Barman; {words}, {way}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Compare the restored files with the manifest; run Barman's own checks if set."""
        choice, backup = self._choice_of(chosen), chosen.backup
        has_manifest = self._has_manifest(choice.entry)
        found = []
        if self._table.verify and has_manifest:
            chain = (*backup.chain, backup.label) if backup.chain else ()
            inputs = [self._server.backup(label) / "data" for label in chain]
            found.append(manifest_check.verify(sandbox, inputs))
        if self._table.check:
            tool = self._setup.for_checking(
                sandbox, sandbox.tool_runner(self.requirements), choice.log
            )
            found.append(checks.check_backup(tool, self._server.name, backup.label))
            if not checks.why_not_verified(choice.entry, has_manifest):
                found.append(checks.verify_backup(tool, self._server.name, backup.label))
        return tuple(found)

    @property
    def _setup(self) -> Setup:
        return Setup(self.name, self._table, self._server)

    def _read(self, tool_runner: ToolRunner, log: Callable[[str, str], None]) -> Found:
        return read_catalogue(self._setup.for_reading(tool_runner, log), self._server)

    @property
    def _by_get_wal(self) -> bool:
        """Whether ``barman get-wal`` fetches WAL."""
        packed = self._server.options.get("compression") in _ONLY_BARMAN_UNPACKS
        return self._table.get_wal or packed

    def _has_manifest(self, entry: Entry) -> bool:
        return (self._server.backup(entry.backup.label) / "data" / "backup_manifest").is_file()

    def _skipped(self, entry: Entry) -> tuple[Check, ...]:
        """Return the checks of the settings that the chosen backup does not allow."""
        has_manifest = self._has_manifest(entry)
        reasons = {}
        if self._table.verify and not has_manifest:
            reasons[manifest_check.NAME] = "backups by rsync have no manifest"
        why = checks.why_not_verified(entry, has_manifest)
        if self._table.check and why:
            reasons[checks.VERIFY_BACKUP] = why
        return tuple(
            Check(name=name, verdict=Verdict.SKIPPED, message=reason)
            for name, reason in reasons.items()
        )

    def _not_checked(self, entry: Entry) -> tuple[str, ...]:
        if not self._table.verify:
            return ("The files of the backup: verify = false left the manifest out.",)
        if self._has_manifest(entry):
            return ()
        return (
            (
                "The files of the backup: backups by rsync have no manifest to compare them with;"
                " `barman generate-manifest` makes one."
            ),
        )
