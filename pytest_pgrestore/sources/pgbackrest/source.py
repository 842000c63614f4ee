"""Source `pgbackrest`: chooses a backup of a stanza, and lets pgBackRest restore it.

WAL is fetched from the repository before the server starts; see `sources.wal.stored_wal`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.pgbackrest import checks
from pytest_pgrestore.sources.pgbackrest.choosing import choose_entry, other_cluster_words
from pytest_pgrestore.sources.pgbackrest.commands import Pgbackrest, open_pgbackrest
from pytest_pgrestore.sources.pgbackrest.config_files import config_files
from pytest_pgrestore.sources.pgbackrest.delta import UNTIMED, Kept
from pytest_pgrestore.sources.pgbackrest.kept_wal import (
    kept_words,
    require_archive,
    take_kept,
    with_kept,
)
from pytest_pgrestore.sources.pgbackrest.own_config import repositories
from pytest_pgrestore.sources.pgbackrest.wal import Archive, Bringer, listed
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

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.pgbackrest.config_files import ConfigFiles
    from pytest_pgrestore.sources.pgbackrest.entries import Catalogue, Entry
    from pytest_pgrestore.sources.pgbackrest.own_config import Repository
    from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable
    from pytest_pgrestore.sources.protocol import ChosenBackup, LocateRequest

_GROWTH = 1.1
"""Disk for a restore, as a multiple of the size that the catalogue reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore.

    Attributes:
        archive: The WAL of the repository.
        tablespaces: OID of each tablespace.
    """

    archive: Archive
    tablespaces: tuple[int, ...]


class PgbackrestSource(ToolSource[_Choice]):
    """Implements `sources.protocol.PhysicalSource` for pgBackRest.

    Args:
        name: The user's name for the source.
        table: Its table of the settings file.
        timeout_seconds: How long to wait for another drill that uses the same `delta`.
    """

    type = "pgbackrest"

    def __init__(self, name: str, table: PgbackrestTable, timeout_seconds: float = 3600.0) -> None:
        super().__init__(name)
        self._table = table
        self._timeout_seconds = timeout_seconds

    @property
    def requirements(self) -> ToolRequirements:
        """What pgBackRest needs to run.

        Raises:
            HarnessError: Its configuration cannot be read.
        """
        table, repository = self._table, self._repository()
        reads = [*self._config_files().places(), *repository.files()]
        return ToolRequirements(
            program=table.program,
            packages=("pgbackrest", "ca-certificates"),
            reads=tuple(path for path in dict.fromkeys(reads) if os.path.exists(path)),  # noqa: PTH110 - Path.exists raises where this one says no
            writes=() if table.delta is None else (table.delta,),
            network=repository.remote if table.network is None else table.network,
            on_host=table.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - of the protocol
        """Return the names of the checks that this source reports, for every target."""
        own = (checks.VERIFY,) if self._table.verify else ()
        return (stored_wal.CHECK, checks.PAGES, *own)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first."""
        pgbackrest = self._open(required(tool_runner, "pgBackRest"), log_nothing)
        return [entry.backup for entry in pgbackrest.catalogue().entries]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and check that its target can be reached; read only."""
        first = self._open(request.find_tool_runner(None), request.log)
        found = first.catalogue()
        place = f"{first.repository.address}, stanza {self._table.stanza}"
        picked, entry = choose_entry(found, request.target, self._table.backup, place)
        _, pgbackrest = self._read_again(
            request, picked, first, lambda tool_runner: self._open(tool_runner, request.log)
        )
        about = pgbackrest.details(picked.backup.label)
        archive = with_kept(pgbackrest, entry, listed(pgbackrest, entry.archive))
        wal = stored_wal.plan(request, picked.backup, entry.start_file, archive.wal)
        require_archive(archive, wal.found, request.target, picked.backup.label)
        restored_by = f"{pgbackrest.version}, {pgbackrest.tool.tool_runner.origin}"
        chosen = self._chosen(picked, wal, restored_by)
        chosen = replace(
            chosen,
            needed_bytes=int((picked.backup.size_bytes or 0) * _GROWTH) + wal.needed_bytes,
            checks=(*chosen.checks, checks.pages(entry, about)),
            not_checked=self._not_checked(),
            notes=(
                *chosen.notes,
                *other_cluster_words(found, entry),
                *kept_words(archive, wal.found),
                *self._notes(found, pgbackrest.repository),
            ),
            rto_not_comparable="" if self._table.delta is None else UNTIMED,
        )
        chosen = self._with_paths(chosen, entry, pgbackrest.repository)
        choice = _Choice(wal=wal, log=request.log, archive=archive, tablespaces=about.tablespaces)
        return self._keep(chosen, choice)

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let pgBackRest restore into the sandbox, and fetch the WAL."""
        choice, backup = self._choice_of(chosen), chosen.backup
        if self._table.delta is None:
            pgbackrest = self._open_for(sandbox, choice)
            places = {oid: sandbox.tablespaces / str(oid) for oid in choice.tablespaces}
            for place in places.values():
                place.mkdir(mode=0o700)
            pgbackrest.restore(backup.label, places)
        else:
            pgbackrest = self._restore_kept(Kept(self._table.delta), chosen, sandbox)
        take_kept(choice.archive.kept, sandbox)
        words = stored_wal.bring(choice.wal, Bringer(pgbackrest, choice.archive), sandbox)
        hand_over(sandbox)
        return (
            f"backup {backup.label} ({backup.kind}) restored by pgBackRest,"
            f" its checksums compared; {words}"
        )

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Run ``pgbackrest verify`` if the settings ask for it.

        Without it nothing is left out: a restore has compared the checksum of every file.
        """
        if not self._table.verify:
            return ()
        pgbackrest = self._open_for(sandbox, self._choice_of(chosen))
        return (checks.verified(pgbackrest.verify()),)

    def _repositories(self) -> tuple[Repository, ...]:
        table = self._table
        return repositories(self._config_files(), table.stanza, table.env, table.secrets)

    def _config_files(self) -> ConfigFiles:
        return config_files(self._table.config, self._table.env)

    def _repository(self) -> Repository:
        """Return the repository of the settings, or the first one.

        Raises:
            ConfigError: The configuration has no repository of that number.
            HarnessError: The configuration cannot be read.
        """
        every, wanted = self._repositories(), self._table.repo
        if wanted is None:
            return every[0]
        for repository in every:
            if repository.number == wanted:
                return repository
        raise ConfigError(
            f"source {self.name}: pgBackRest's configuration has no repo{wanted}",
            hint=f"it has {', '.join(f'repo{repository.number}' for repository in every)}.",
        )

    def _open(
        self,
        tool_runner: ToolRunner,
        log: Callable[[str, str], None],
        sandbox: Sandbox | None = None,
    ) -> Pgbackrest:
        return open_pgbackrest(self._table, self._repository(), tool_runner, log, sandbox)

    def _open_for(self, sandbox: Sandbox, choice: _Choice) -> Pgbackrest:
        return self._open(sandbox.tool_runner(self.requirements), choice.log, sandbox)

    def _restore_kept(self, kept: Kept, chosen: ChosenBackup, sandbox: Sandbox) -> Pgbackrest:
        """Restore onto the kept directory with ``--delta``, and copy the result to the sandbox."""
        choice = self._choice_of(chosen)
        kept.claim()
        # Made now: the container of the tool mounts the directory, so it must exist.
        pgbackrest = self._open_for(sandbox, choice)
        with kept.held(self._timeout_seconds):
            kept.make_tablespaces({str(oid) for oid in choice.tablespaces})
            pgbackrest.restore(
                chosen.backup.label,
                {oid: kept.tablespaces / str(oid) for oid in choice.tablespaces},
                {"PGBACKREST_PG1_PATH": str(kept.data), "PGBACKREST_DELTA": "y"},
            )
            kept.copy_into(sandbox)
        return pgbackrest

    def _with_paths(
        self, chosen: ChosenBackup, entry: Entry, repository: Repository
    ) -> ChosenBackup:
        """Add the directories of the repository, if it is on this machine."""
        if repository.remote:
            return chosen
        stanza = self._table.stanza
        labels = (*chosen.backup.chain, chosen.backup.label)
        return replace(
            chosen,
            backup_paths=tuple(repository.path / "backup" / stanza / label for label in labels),
            wal_archive_paths=(repository.path / "archive" / stanza / entry.archive,),
        )

    def _not_checked(self) -> tuple[str, ...]:
        delta = self._table.delta
        if delta is None:
            return ()
        kept = f"`delta` keeps the files of the backup in {delta}."
        return (f"That nothing of production is left: {kept}",)

    def _notes(self, found: Catalogue, repository: Repository) -> list[str]:
        others = [
            other.address for other in self._repositories() if other.number != repository.number
        ]
        notes = [f"restored from {repository.address}"]
        if others:
            notes.append(f"not drilled here: {', '.join(others)}")
        if found.locked:
            notes.append("a backup is being taken right now; it is not in the catalogue yet")
        return notes
