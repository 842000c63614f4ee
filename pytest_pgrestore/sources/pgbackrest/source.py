"""Source `pgbackrest`: chooses a backup of a stanza, lets pgBackRest restore it, and brings its WAL ahead of replay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.pgbackrest import catalogue, checks
from pytest_pgrestore.sources.pgbackrest.delta import UNTIMED, Kept
from pytest_pgrestore.sources.pgbackrest.environment import environment, version_of
from pytest_pgrestore.sources.pgbackrest.own_config import DEFAULT_INCLUDE, numbered, repositories
from pytest_pgrestore.sources.pgbackrest.restoring import restore
from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable
from pytest_pgrestore.sources.pgbackrest.wal import Archive, Bringer, listed
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.selection import no_backup, other_candidates, pick
from pytest_pgrestore.sources.tool_source import Choice, ToolSource, hand_over, required, unheard
from pytest_pgrestore.sources.wal import stored_wal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.pgbackrest.own_config import Repository
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.tool_source import Log

_GROWTH = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore."""

    repository: Repository
    archive: Archive
    tablespaces: tuple[tuple[int, str], ...]

    def places(self, directory: Path) -> dict[int, Path]:
        """Return where each tablespace goes below `directory`, by OID."""
        return {oid: directory / str(oid) for oid, _ in self.tablespaces}


class PgbackrestSource(ToolSource[PgbackrestTable, _Choice]):
    """Implements `sources.protocol.PhysicalSource` for pgBackRest.

    Args:
        name: The user's name for it.
        table: Its table of the settings file.
        timeout_seconds: How long to wait for another drill that uses the same `delta`.
    """

    type = "pgbackrest"

    def __init__(self, name: str, table: PgbackrestTable, timeout_seconds: float = 3600.0) -> None:
        super().__init__(name, table)
        self._timeout_seconds = timeout_seconds

    @property
    def requirements(self) -> ToolRequirements:
        """What pgBackRest needs to run.

        Raises:
            HarnessError: Its configuration cannot be read.
        """
        table, repository = self._table, self._repository()
        reads = [
            *([table.config] if table.config else [Path("/etc/pgbackrest")]),
            *repository.files(),
        ]
        reads += [DEFAULT_INCLUDE] if table.config is None else []
        return ToolRequirements(
            program=table.program_name,
            packages=("pgbackrest", "ca-certificates"),
            reads=tuple(dict.fromkeys(path for path in reads if path.exists())),
            writes=() if table.delta is None else (table.delta,),
            network=repository.remote if table.network is None else table.network,
            on_host=table.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return (
            stored_wal.CHECK,
            checks.PAGES,
            *((checks.VERIFY,) if self._table.verify else ()),
        )

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first."""
        tool, _ = self._tool(required(tool_runner, "pgBackRest"), unheard)
        return [
            entry.backup
            for entry in catalogue.read(tool, self._table.stanza, self._repository()).entries
        ]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        repository = self._repository()
        tool, _ = self._tool(request.find_tool_runner(None), request.log)
        found = catalogue.read(tool, self._table.stanza, repository)
        entry, selection = self._pick(found, request, repository)
        backup = entry.backup
        # From here on the one that restores: another image may have another version.
        tool, version = self._tool(request.find_tool_runner(backup.server_major), request.log)
        details = catalogue.read_details(tool, self._table.stanza, repository, backup.label)
        archive = listed(tool, repository, self._table.stanza, entry.archive)
        wal = stored_wal.plan(request, backup, entry.start_file, archive.wal)
        every = [known.backup for known in found.entries]
        chosen = self._chosen_backup(
            backup,
            wal,
            selection=selection,
            needed_bytes=int((backup.size_bytes or 0) * _GROWTH) + wal.needed_bytes,
            checks=(wal.check(), checks.pages(entry, details)),
            not_checked=self._not_checked(),
            notes=(*wal.notes, *self._notes(found, repository)),
            other_candidates=other_candidates(every, backup, request.target, self._table.backup),
            restored_by=f"{version}, {tool.tool_runner.origin}",
            rto_not_comparable="" if self._table.delta is None else UNTIMED,
            **self._paths(repository, entry),
        )
        choice = _Choice(
            wal=wal,
            log=request.log,
            repository=repository,
            archive=archive,
            tablespaces=_tablespaces(details),
        )
        return self._keep(chosen, choice)

    def _pick(
        self, found: catalogue.Catalogue, request: LocateRequest, repository: Repository
    ) -> tuple[catalogue.Entry, str]:
        """Return the entry for the target, and why it was chosen."""
        if not found.entries:
            raise no_backup(f"{repository.address}, stanza {self._table.stanza}")
        every = [entry.backup for entry in found.entries]
        backup, selection = pick(every, request.target, self._table.backup)
        entry = next(entry for entry in found.entries if entry.backup is backup)
        if backup.server_major is None or not entry.start_file:
            raise BackupNotRestorable(
                f"the catalogue does not say of which server backup {backup.label} is, or where its"
                " WAL begins",
                hint="take a new backup, online and with archiving on.",
            )
        return entry, selection

    def _paths(self, repository: Repository, entry: catalogue.Entry) -> dict[str, tuple[Path, ...]]:
        """Return where the backup and its archive lie on this machine; nothing for a remote one."""
        if repository.remote:
            return {}
        stanza, labels = self._table.stanza, (*entry.backup.chain, entry.backup.label)
        return {
            "backup_paths": tuple(repository.path / "backup" / stanza / label for label in labels),
            "wal_archive_paths": (repository.path / "archive" / stanza / entry.archive,),
        }

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let pgBackRest restore into the sandbox, and bring the WAL."""
        choice = self._choice_of(chosen)
        if self._table.delta is None:
            tool = self._restore_anew(chosen, sandbox)
        else:
            tool = self._restore_onto(Kept(self._table.delta), chosen, sandbox)
        bring = Bringer(tool, choice.repository, self._table.stanza, choice.archive)
        words = stored_wal.bring(choice.wal, bring, sandbox)
        hand_over(sandbox)
        return (
            f"backup {chosen.backup.label} ({chosen.backup.kind}) restored by pgBackRest, its"
            f" checksums compared; {words}"
        )

    def _restore_anew(self, chosen: ChosenBackup, sandbox: Sandbox) -> BackupTool:
        """Restore into the empty sandbox; return the tool that did."""
        choice = self._choice_of(chosen)
        tool, _ = self._tool(sandbox.tool_runner(self.requirements), choice.log, sandbox)
        for oid, _ in choice.tablespaces:
            (sandbox.tablespaces / str(oid)).mkdir(mode=0o700)
        restore(tool, choice.repository, chosen.backup.label, choice.places(sandbox.tablespaces))
        return tool

    def _restore_onto(self, kept: Kept, chosen: ChosenBackup, sandbox: Sandbox) -> BackupTool:
        """Bring the kept directory up to date and copy it into the sandbox; return the tool that did."""
        choice = self._choice_of(chosen)
        kept.claim()
        tool, _ = self._tool(sandbox.tool_runner(self.requirements), choice.log, sandbox)
        with kept.held(self._timeout_seconds):
            kept.make_tablespaces({str(oid) for oid, _ in choice.tablespaces})
            onto = {"PGBACKREST_PG1_PATH": str(kept.data), "PGBACKREST_DELTA": "y"}
            restore(
                replace(tool, env={**tool.env, **onto}),
                choice.repository,
                chosen.backup.label,
                choice.places(kept.tablespaces),
            )
            kept.copy_into(sandbox)
        return tool

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Run ``pgbackrest verify`` where it is switched on; a restore has compared every checksum already."""
        if not self._table.verify:
            return ()
        choice = self._choice_of(chosen)
        tool, _ = self._tool(sandbox.tool_runner(self.requirements), choice.log, sandbox)
        done = tool.run(
            "verify", f"--repo={choice.repository.number}", "--output=text", "--verbose", "verify"
        )
        return (checks.verified(done),)

    def _repository(self) -> Repository:
        table = self._table
        every = repositories(table.config, table.stanza, table.env)
        return every[0] if table.repo is None else numbered(every, table.repo, self.name)

    def _tool(
        self, tool_runner: ToolRunner, log: Log, sandbox: Sandbox | None = None
    ) -> tuple[BackupTool, str]:
        """Return pgBackRest with the settings of a drill, and its version in words."""
        tool = replace(self._backup_tool(tool_runner, log), env={})
        version = version_of(tool)
        env = environment(self._table, sandbox, version)
        return replace(tool, env=env), f"pgBackRest {'.'.join(map(str, version))}"

    def _not_checked(self) -> tuple[str, ...]:
        delta = self._table.delta
        if delta is None:
            return ()
        return (
            f"That nothing of production is left: `delta` keeps the files of the backup in {delta}.",
        )

    def _notes(self, found: catalogue.Catalogue, repository: Repository) -> list[str]:
        table = self._table
        every = repositories(table.config, table.stanza, table.env)
        others = [other.address for other in every if other.number != repository.number]
        notes = [f"restored from {repository.address}"]
        if others:
            notes.append(f"not drilled here: {', '.join(others)}")
        if found.locked:
            notes.append("a backup is being taken right now; it is not in the catalogue yet")
        return notes


def _tablespaces(details: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    """Return OID and name of each tablespace of a backup, from the details of ``pgbackrest info``."""
    return tuple(
        (int(space["oid"]), str(space["name"])) for space in details.get("tablespace") or ()
    )
