"""Source `walg`: chooses a backup, lets WAL-G fetch it, and brings its WAL ahead of replay."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.copying import in_parallel
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.selection import no_backup, other_candidates, pick
from pytest_pgrestore.sources.tool_source import (
    Choice,
    Log,
    ToolSource,
    hand_over,
    required,
    unheard,
)
from pytest_pgrestore.sources.wal import stored_wal
from pytest_pgrestore.sources.walg import catalogue, checks, restore_spec
from pytest_pgrestore.sources.walg.messages import failed
from pytest_pgrestore.sources.walg.own_config import Storage, storage_of
from pytest_pgrestore.sources.walg.table import WalgTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.stored_wal import WalPlan

_GROWTH = 1.2
_MIB = 1024 * 1024
_ABSENT = 74
"""Status of wal-fetch for what is not in the storage; every other one is an error."""

_NO_CHECKSUMS = (
    "The files of the backup against checksums of their own: WAL-G keeps none; what its compression and PostgreSQL's"
    " page checksums do not notice, nothing does."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore."""

    spec: Mapping[str, Any]


class WalgSource(ToolSource[WalgTable, _Choice]):
    """Implements `sources.protocol.PhysicalSource` for WAL-G.

    Args:
        name: The user's name for it.
        table: Its table of the settings file.
    """

    type = "walg"

    @property
    def requirements(self) -> ToolRequirements:
        """What WAL-G needs: its configuration, the keys and certificates that variables name."""
        table, storage = self._table, self._storage
        reads = [*([table.config] if table.config else []), *storage.files]
        remote = storage.directory is None
        return ToolRequirements(
            program=table.program_name,
            packages=("ca-certificates",),
            reads=tuple(dict.fromkeys(reads)),
            network=remote if table.network is None else table.network,
            on_host=table.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return (stored_wal.CHECK, checks.FILES, *((checks.VERIFY,) if self._table.verify else ()))

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first."""
        tool = self._tool(required(tool_runner, "WAL-G"), unheard)
        return [entry.backup for entry in catalogue.read(tool, self._storage.location)]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        storage = self._storage
        tool = self._tool(request.find_tool_runner(None), request.log)
        version = catalogue.version(tool)
        entries = catalogue.read(tool, storage.location)
        if not entries:
            raise no_backup(storage.location)
        backups = [entry.backup for entry in entries]
        picked, selection = pick(backups, request.target, self._table.backup)
        sentinel = catalogue.sentinel(tool, picked.label)
        labels = {known.label for known in backups}
        chain = catalogue.chain_of(tool, picked.label, sentinel, labels.__contains__)
        backup = replace(picked, chain=chain, written_by="WAL-G")
        start_file = entries[backups.index(picked)].start_file
        wal = stored_wal.plan(request, backup, start_file, catalogue.stored_wal(tool))
        chosen = self._chosen_backup(
            backup,
            wal,
            selection=selection,
            needed_bytes=int(_stored_bytes(backups, backup) * _GROWTH) + wal.needed_bytes,
            checks=(wal.check(),),
            not_checked=(_NO_CHECKSUMS,),
            notes=wal.notes,
            other_candidates=other_candidates(backups, backup, request.target, self._table.backup),
            restored_by=f"WAL-G {version}, {tool.tool_runner.origin}",
            **storage.paths,
        )
        spec = sentinel.get("Spec") or {}
        return self._keep(chosen, _Choice(wal=wal, log=request.log, spec=spec))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let WAL-G fetch into the sandbox, and bring the WAL."""
        choice, label = self._choice_of(chosen), chosen.backup.label
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log, choice.wal)
        spec = sandbox.wal / "restore-spec.json"
        spec.write_text(json.dumps(restore_spec.into(sandbox, choice.spec)))
        arguments = ("--restore-spec", str(spec)) if choice.spec.get("tablespaces") else ()
        done = tool.run("restore", "backup-fetch", str(sandbox.data), label, *arguments)
        if done.status != 0:
            raise failed(done, f"backup {label} was not fetched")
        spec.unlink()
        restore_spec.link_tablespaces(sandbox, choice.spec)

        def bring(names: Sequence[str], into: Path) -> None:
            in_parallel(lambda name: _bring_one(tool, name, into), names)

        words = stored_wal.bring(choice.wal, bring, sandbox)
        hand_over(sandbox)
        return f"backup {label} ({chosen.backup.kind}) fetched by WAL-G; {words}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """See that every file is there: WAL-G fetches the parts there are, and ends with 0 when one is gone.

        Where it is switched on, ``wal-verify`` compares the storage with production's own server.
        """
        choice = self._choice_of(chosen)
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log, choice.wal)
        found = checks.files(catalogue.files_of(tool, chosen.backup.label), sandbox)
        return (found, *((checks.wal_verify(tool),) if self._table.verify else ()))

    def _tool(self, tool_runner: ToolRunner, log: Log, wal: WalPlan | None = None) -> BackupTool:
        more = {
            # By default WAL-G waits minutes between its tries, and reports a damaged part after a
            # quarter of an hour.
            "WALG_DOWNLOAD_FILE_RETRIES": "0" if self._storage.directory else "2",
            "S3_MAX_RETRIES": "3",
            "WALG_S3_MAX_RETRIES": "3",
            "WALG_DOWNLOAD_CONCURRENCY": str(os.cpu_count() or 1),
        }
        tool = self._backup_tool(tool_runner, log, **more)
        must = {}
        if self._table.config is not None:
            must["WALG_CONFIG_PATH"] = str(self._table.config)
        if wal is not None:
            must["WALG_PG_WAL_SIZE"] = str(wal.segment_bytes // _MIB)
        return replace(tool, env={**tool.env, **must})

    @property
    def _storage(self) -> Storage:
        """What the configuration says now: it may be corrected while a session runs."""
        return storage_of(self._table.config, self._table.env)


def _bring_one(tool: BackupTool, name: str, into: Path) -> None:
    # With one at a time it starts no prefetching of its own, which would go on behind our back.
    done = tool.run(
        "wal", "wal-fetch", name, str(into / name), more={"WALG_DOWNLOAD_CONCURRENCY": "1"}
    )
    if done.status not in (0, _ABSENT):
        raise failed(done, f"WAL segment {name} could not be brought")


def _stored_bytes(backups: Sequence[Backup], chosen: Backup) -> int:
    """Return how many bytes the backup and those it depends on have in the storage."""
    labels = {*chosen.chain, chosen.label}
    return sum(known.size_bytes or 0 for known in backups if known.label in labels)
