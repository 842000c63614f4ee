"""The stanza of a source: its configuration, its repository, and pgBackRest set up for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.pgbackrest.commands import Pgbackrest, open_pgbackrest
from pytest_pgrestore.sources.pgbackrest.config_files import config_files
from pytest_pgrestore.sources.pgbackrest.own_config import repositories

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.pgbackrest.config_files import ConfigFiles
    from pytest_pgrestore.sources.pgbackrest.entries import Catalogue, Entry
    from pytest_pgrestore.sources.pgbackrest.own_config import Repository
    from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable
    from pytest_pgrestore.sources.protocol import ChosenBackup


@dataclass(frozen=True, slots=True)
class Stanza:
    """A stanza as the settings name it.

    Attributes:
        source: The user's name for the source.
        table: Its table of the settings file.
    """

    source: str
    table: PgbackrestTable

    @property
    def requirements(self) -> ToolRequirements:
        """What pgBackRest needs to run.

        Raises:
            ConfigError: `delta` lies in the repository.
            HarnessError: Its configuration cannot be read.
        """
        table, repository = self.table, self.repository()
        self._require_delta_elsewhere()
        reads = [*self._files().places(), *repository.files()]
        return ToolRequirements(
            program=table.program,
            packages=("pgbackrest", "ca-certificates"),
            reads=tuple(path for path in dict.fromkeys(reads) if os.path.exists(path)),  # noqa: PTH110 - Path.exists raises where this one says no
            writes=() if table.delta is None else (table.delta,),
            network=repository.remote if table.network is None else table.network,
            on_host=table.on_host,
        )

    def repository(self) -> Repository:
        """Return the repository of the settings, or the first one.

        Raises:
            ConfigError: The configuration has no repository of that number.
            HarnessError: The configuration cannot be read.
        """
        every, wanted = self._repositories(), self.table.repo
        if wanted is None:
            return every[0]
        for repository in every:
            if repository.number == wanted:
                return repository
        raise ConfigError(
            f"source {self.source}: pgBackRest's configuration has no repo{wanted}",
            hint=f"it has {', '.join(f'repo{repository.number}' for repository in every)}.",
        )

    def open(
        self,
        tool_runner: ToolRunner,
        log: Callable[[str, str], None],
        sandbox: Sandbox | None = None,
    ) -> Pgbackrest:
        """Return pgBackRest; see `open_pgbackrest`."""
        return open_pgbackrest(self.table, self.repository(), tool_runner, log, sandbox)

    def with_paths(self, chosen: ChosenBackup, entry: Entry) -> ChosenBackup:
        """Add the directories of the repository, if it is on this machine."""
        repository, stanza = self.repository(), self.table.stanza
        if repository.remote:
            return chosen
        labels = (*chosen.backup.chain, chosen.backup.label)
        return replace(
            chosen,
            backup_paths=tuple(repository.path / "backup" / stanza / label for label in labels),
            wal_archive_paths=(repository.path / "archive" / stanza / entry.archive,),
        )

    def notes(self, found: Catalogue) -> list[str]:
        """Return what a reader of the report should know of the repository."""
        used = self.repository()
        others = [other.address for other in self._repositories() if other.number != used.number]
        notes = [f"restored from {used.address}"]
        if others:
            notes.append(f"not drilled here: {', '.join(others)}")
        if found.locked:
            notes.append("a backup is being taken right now; it is not in the catalogue yet")
        return notes

    def not_checked(self) -> tuple[str, ...]:
        """Return what a restore onto a kept directory leaves open."""
        if self.table.delta is None:
            return ()
        kept = f"`delta` keeps the files of the backup in {self.table.delta}."
        return (f"That nothing of production is left: {kept}",)

    def _files(self) -> ConfigFiles:
        return config_files(self.table.config, self.table.env)

    def _repositories(self) -> tuple[Repository, ...]:
        table = self.table
        return repositories(self._files(), table.stanza, table.env, table.secrets)

    def _require_delta_elsewhere(self) -> None:
        """Refuse a kept directory in a repository: a drill never writes there.

        Raises:
            ConfigError: It is one, or lies below or above one.
        """
        delta = self.table.delta
        if delta is None:
            return
        for repository in self._repositories():
            if repository.remote:
                continue
            ours, theirs = delta.resolve(), repository.path.resolve()
            if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
                raise ConfigError(
                    f"source {self.source}: delta {delta} and the repository"
                    f" {repository.path} lie in each other, and a drill writes to no repository",
                    hint="name a directory outside of the repository in `delta`.",
                )
