"""Source `walg`: chooses a backup, and lets WAL-G fetch it.

WAL is fetched from the storage before the server starts; see `sources.wal.stored_wal`.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.copying import in_parallel
from pytest_pgrestore.sources.tool_source import (
    Choice,
    ToolSource,
    hand_over,
    log_nothing,
    pick_among,
    required,
    untested,
)
from pytest_pgrestore.sources.wal import stored_wal
from pytest_pgrestore.sources.wal.newer_cluster import require_no_newer_cluster
from pytest_pgrestore.sources.walg import catalogue, checks
from pytest_pgrestore.sources.walg.empty_storage import no_backup
from pytest_pgrestore.sources.walg.messages import failed
from pytest_pgrestore.sources.walg.restore_spec import link_tablespaces, restore_spec
from pytest_pgrestore.sources.walg.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.protocol import ChosenBackup, LocateRequest
    from pytest_pgrestore.sources.wal.stored_wal import WalPlan
    from pytest_pgrestore.sources.walg.table import WalgTable

_GROWTH = 1.2
"""Disk for a restore, as a multiple of the sizes that the catalogue reports."""

_MIB = 1024 * 1024
_VERSION = re.compile(r"wal-g version v?(\S+)")
_TESTED = (3, 0)
"""The release that the tests run with."""

_ABSENT = 74
"""Status of ``wal-fetch`` for a segment that is not in the storage; 1 is every other error."""

_NO_CHECKSUMS = (
    "The files of the backup against checksums of their own: WAL-G keeps none; what its compression"
    " and PostgreSQL's page checksums do not notice, nothing does."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore.

    Attributes:
        tablespaces: OID of each.
        newest: Whether the newest backup was chosen, and not named by the user.
    """

    tablespaces: tuple[int, ...]
    newest: bool


class WalgSource(ToolSource[_Choice]):
    """Implements `sources.protocol.PhysicalSource` for WAL-G.

    Args:
        name: The user's name for the source.
        table: Its table of the settings file.
    """

    type = "walg"

    def __init__(self, name: str, table: WalgTable) -> None:
        super().__init__(name)
        self._table = table

    @property
    def _storage(self) -> Storage:
        return Storage(self._table)

    @property
    def requirements(self) -> ToolRequirements:
        """What WAL-G needs to run.

        Raises:
            HarnessError: Its configuration cannot be read.
        """
        table, storage = self._table, self._storage
        return ToolRequirements(
            program=table.program,
            packages=("ca-certificates",),
            reads=tuple(dict.fromkeys(storage.files)),
            network=storage.directory is None if table.network is None else table.network,
            on_host=table.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - of the protocol
        """Return the names of the checks that this source reports, for every target."""
        own = (checks.VERIFY,) if self._table.verify else ()
        return (stored_wal.CHECK, checks.FILES, *own)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first."""
        tool = self._tool(required(tool_runner, "WAL-G"), log_nothing)
        return [entry.backup for entry in catalogue.read(tool, self._storage.location)]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and check that its target can be reached; read only."""
        tool = self._tool(request.find_tool_runner(None), request.log)
        version = _version(tool)
        entries = catalogue.read(tool, self._storage.location)
        if not entries:
            raise no_backup(tool, self._storage)
        backups = [entry.backup for entry in entries]
        stored = catalogue.stored_wal(tool)
        pairs = [(entry.backup, entry.start_file) for entry in entries]
        pick = pick_among(pairs, stored, request, self._table.backup)
        picked = pick.picked
        sentinel = catalogue.sentinel(tool, picked.backup.label)
        chain = catalogue.chain_of(
            tool, picked.backup.label, sentinel, {known.label for known in backups}
        )
        backup = replace(picked.backup, chain=chain, written_by="WAL-G")
        wal = stored_wal.plan(request, backup, pick.start_file, stored, pick.graph)
        restored_by = f"WAL-G {version}, {tool.tool_runner.origin}"
        chosen = self._chosen(replace(picked, backup=backup), wal, restored_by)
        chosen = replace(
            chosen,
            needed_bytes=_size_of(backup, backups) + wal.needed_bytes,
            not_checked=(_NO_CHECKSUMS,),
            notes=(*chosen.notes, *untested("WAL-G", version, _TESTED, _TESTED)),
        )
        choice = _Choice(
            wal=wal, log=request.log, tablespaces=sentinel.tablespaces, newest=pick.newest
        )
        return self._keep(self._with_paths(chosen), choice)

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let WAL-G fetch the backup into the sandbox, and fetch the WAL."""
        choice, label = self._choice_of(chosen), chosen.backup.label
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log, choice.wal)
        spec = sandbox.wal / "restore-spec.json"
        spec.write_text(json.dumps(restore_spec(choice.tablespaces, sandbox)))
        arguments = ("--restore-spec", str(spec)) if choice.tablespaces else ()
        done = tool.run("restore", "backup-fetch", str(sandbox.data), label, *arguments)
        if done.status != 0:
            raise failed(done, f"backup {label} was not fetched")
        spec.unlink()
        link_tablespaces(choice.tablespaces, sandbox)

        def bring(names: Sequence[str], into: Path) -> None:
            in_parallel(lambda name: _bring_one(tool, name, into), names)

        words = stored_wal.bring(choice.wal, bring, sandbox)
        if choice.newest:
            require_no_newer_cluster(choice.wal, chosen.backup, bring, sandbox)
        hand_over(sandbox)
        return f"backup {label} ({chosen.backup.kind}) fetched by WAL-G; {words}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Check that every file is there, and run ``wal-verify`` if the settings ask for it."""
        choice = self._choice_of(chosen)
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log, choice.wal)
        listed = catalogue.files_of(tool, chosen.backup.label)
        files = checks.files_restored(listed, sandbox.data)
        return (files, *((checks.wal_verified(tool),) if self._table.verify else ()))

    def _with_paths(self, chosen: ChosenBackup) -> ChosenBackup:
        """Add the directories of the storage, if it is on this machine."""
        directory = self._storage.directory
        if directory is None:
            return chosen
        backups = directory / "basebackups_005"
        labels = (*chosen.backup.chain, chosen.backup.label)
        sentinels = (f"{label}_backup_stop_sentinel.json" for label in labels)
        return replace(
            chosen,
            backup_paths=tuple(backups / name for name in (*labels, *sentinels)),
            wal_archive_paths=(directory / "wal_005",),
        )

    def _tool(
        self, tool_runner: ToolRunner, log: Callable[[str, str], None], wal: WalPlan | None = None
    ) -> BackupTool:
        """Return WAL-G; `wal` names the size of a segment, which a restore must know."""
        table = self._table
        env = {
            # The default is 15 retries with long pauses (WAL-G documentation): a damaged file is
            # reported after a quarter of an hour. In a directory a retry changes nothing.
            "WALG_DOWNLOAD_FILE_RETRIES": "0" if self._storage.directory else "2",
            "S3_MAX_RETRIES": "3",
            "WALG_S3_MAX_RETRIES": "3",
            "WALG_DOWNLOAD_CONCURRENCY": str(os.cpu_count() or 1),
            **table.env,
        }
        if table.config is not None:
            env["WALG_CONFIG_PATH"] = str(table.config)
        if wal is not None:
            env["WALG_PG_WAL_SIZE"] = str(wal.segment_bytes // _MIB)
        return BackupTool(
            tool_runner=tool_runner,
            program=table.program,
            env=env,
            secrets=table.secrets,
            log=log,
        )


def _version(tool: BackupTool) -> str:
    done = tool.run("catalogue", "--version")
    match = _VERSION.search(done.stdout + done.stderr)
    if match is None:
        raise HarnessError(
            f"{tool.program} does not say that it is WAL-G", hint="correct `program`."
        )
    return match[1]


def _size_of(backup: Backup, backups: Sequence[Backup]) -> int:
    """Return the estimated disk space of a backup and all it builds on, in bytes."""
    labels = {*backup.chain, backup.label}
    sizes = (known.size_bytes or 0 for known in backups if known.label in labels)
    return int(sum(sizes) * _GROWTH)


def _bring_one(tool: BackupTool, name: str, into: Path) -> None:
    # With a concurrency of 1, `wal-fetch` starts no prefetch of the next segments.
    # The prefetch would be a process of its own that nobody waits for.
    only_one = {"WALG_DOWNLOAD_CONCURRENCY": "1"}
    done = tool.run("wal", "wal-fetch", name, str(into / name), more=only_one)
    if done.status not in (0, _ABSENT):
        raise failed(done, f"WAL segment {name} could not be brought")
