"""Source `dump`: dumps of pg_dump and pg_dumpall in every format, loaded into an empty cluster.

A dump contains the data of the moment it began (pg_dump reads in one snapshot). Everything
committed while it ran is missing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sources.dump import facts
from pytest_pgrestore.sources.dump.catalogue import DumpPaths
from pytest_pgrestore.sources.dump.contents import compare
from pytest_pgrestore.sources.dump.decrypting import Decryption, forget
from pytest_pgrestore.sources.dump.loading.disk_guard import keeping_free
from pytest_pgrestore.sources.dump.loading.extensions import extensions_of
from pytest_pgrestore.sources.dump.loading.limits import LoadLimits
from pytest_pgrestore.sources.dump.loading.load import Loading
from pytest_pgrestore.sources.dump.loading.options import LoadOptions
from pytest_pgrestore.sources.dump.loading.role_file import RoleFile, require_only_roles
from pytest_pgrestore.sources.dump.locating import Locator
from pytest_pgrestore.sources.dump.one_moment import require_latest
from pytest_pgrestore.sources.dump.part import Part
from pytest_pgrestore.sources.dump.parts_loader import PartsLoader, loaded_into
from pytest_pgrestore.sources.dump.reading import globs, moments
from pytest_pgrestore.sources.protocol import ChosenBackup, Loaded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.dump.reading import toc
    from pytest_pgrestore.sources.dump.reading.entries import Entry
    from pytest_pgrestore.sources.protocol import Connection, LocateRequest


class DumpSource:
    """Implements `sources.protocol.LogicalSource` for pg_dump and pg_dumpall.

    Args:
        name: The user's name for the source.
        path: File, directory (a dump in directory format, or a directory of dumps) or glob. The
            newest dump is restored. Several of them are loaded in their order, into one database.
        globals_path: Output of ``pg_dumpall --globals-only``, loaded first; file or glob.
        database: Name of the restored database. If the dump names its database, both must be equal.
            For a dump of pg_dumpall: the database in which assertions run.
        jobs: Parallel jobs of pg_restore; None means one for each core.
        tables: Restore only these tables, with their rows, indexes, keys, sequences, types and
            partitions. Archives only.
        schema_only: Restore no rows. Archives only.
        data_only: Restore no definitions. Then `schema` is required.
        schema: A plain dump made with --schema-only, loaded before the data.
        owners: Whether owners and privileges are restored. Without them, a plain dump gets roles
            without rights.
        before: A file of SQL statements that is run before the dump, in its database.
        skip_extensions: Extensions that are left out, with what belongs to them.
        limits: What a dump may ask of this machine.
        taken_at: Who tells when a dump began: ``modified`` or a pattern for its file's name; None
            for the dump itself.
        decrypt: Program and arguments that read an encrypted file and write the dump.
        secrets: Variables that `decrypt` gets.
        complete: ``unmarked`` accepts plain SQL whose end is not marked.
        timeout_seconds: Deadline of one tool.
    """

    type = "dump"
    requirements = None

    def __init__(  # noqa: PLR0913 - the settings of a source
        self,
        name: str,
        path: str | Sequence[str],
        *,
        globals_path: str | None = None,
        database: str | None = None,
        jobs: int | None = None,
        tables: tuple[str, ...] = (),
        schema_only: bool = False,
        data_only: bool = False,
        schema: str | None = None,
        owners: bool = True,
        before: str | None = None,
        skip_extensions: tuple[str, ...] = (),
        limits: LoadLimits | None = None,
        taken_at: str | None = None,
        decrypt: Sequence[str] | None = None,
        secrets: Mapping[str, Secret] | None = None,
        complete: str | None = None,
        timeout_seconds: float = 3600.0,
    ) -> None:
        if data_only and schema is None:
            raise ConfigError(
                f"source {name} restores data only, and nothing brings the tables",
                hint='add schema_file = "..." with a plain dump made by pg_dump --schema-only,'
                " or drop data_only.",
            )
        if data_only and schema_only:
            raise ConfigError(
                f"source {name} restores neither data nor definitions",
                hint="drop data_only or schema_only.",
            )
        self.name = name
        self._globals = RoleFile(globals_path) if globals_path is not None else None
        limits = limits or LoadLimits()
        patterns = [path] if isinstance(path, str) else path
        teller = moments.teller(taken_at, f"source {name}: taken_at")
        self._database = database
        self._options = LoadOptions(
            jobs=jobs or os.cpu_count() or 1,
            tables=tables,
            schema_only=schema_only,
            data_only=data_only,
            schema=Path(schema) if schema is not None else None,
            owners=owners,
            has_globals=globals_path is not None,
            before=Path(before) if before is not None else None,
            skip_extensions=skip_extensions,
            unmarked=complete == "unmarked",
            limits=limits,
            timeout_seconds=timeout_seconds,
        )
        self._locator = Locator(
            [DumpPaths(one, self._globals, teller) for one in patterns],
            self._globals,
            database,
            self._options,
            None
            if decrypt is None
            else Decryption(
                name, tuple(decrypt), secrets or {}, timeout_seconds, limits.kept_free_bytes
            ),
        )
        self._choices: dict[Path | str, list[Part]] = {}

    @property
    def places(self) -> tuple[Path, ...]:
        """The paths below which the dumps are.

        Roles and definitions are not included: this process reads them and sends them to psql.
        """
        clear = [
            part.dump.path.parent
            for parts in self._choices.values()
            for part in parts
            if part.dump.stored is not None and part.dump.path.exists()
        ]
        places = [globs.place(paths.pattern) for paths in self._locator.paths]
        return tuple(dict.fromkeys([*places, *clear]))

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - protocol
        """Return the names of the checks this source reports."""
        return ("contents",)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:  # noqa: ARG002 - protocol
        """Return the dumps, oldest first. Other files are left out."""
        return [backup for paths in self._locator.paths for backup in paths.entries()]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the newest dump and check that it is complete, without loading it."""
        require_latest(self.name, request.target)
        located = self._locator.find(request)
        dumps = located.dumps
        major = facts.major_of(dumps)
        programs = request.find_programs(major)
        parts = self._locator.parts(dumps, programs)
        backup = facts.entry_of_all(dumps)
        self._choices[backup.location] = parts
        needed = sum(map(facts.needed_bytes, dumps))
        copied = sum(part.dump.size_bytes for part in parts if not part.readable)
        roles = [] if self._globals is None else [self._globals.newest().path]
        return ChosenBackup(
            backup=backup,
            selection=facts.selection([one.selection for one in located.found]),
            server_major=major or programs.major,
            needed_bytes=needed + copied,
            not_checked=(
                *facts.not_checked(dumps, unmarked=self._options.unmarked),
                *(sentence for one in located.found for sentence in one.not_checked),
            ),
            notes=(
                *facts.notes(dumps, programs),
                *(note for one in located.found for note in one.notes),
            ),
            backup_paths=(*(dump.location for dump in dumps), *roles),
            prepared_seconds=located.seconds,
            extensions=self._options.wanted(extensions_of(parts)),
            loaded_into=loaded_into(parts, self._database, self.name),
        )

    def load(self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection) -> Loaded:
        """Load roles, then the dump."""
        parts = self._choices[chosen.backup.location]
        loading = Loading(self._options, sandbox, connection)
        try:
            with keeping_free(sandbox, self._options.limits.kept_free_bytes):
                if self._globals is not None:
                    require_only_roles(loading.sql(self._globals.newest(), "postgres"))
                loader = PartsLoader(loading, self._options, self._database, self.name)
                name = loader.load(parts)
        finally:
            for part in parts:
                forget(part.dump)
        how = " and ".join(
            dict.fromkeys(
                f"{part.dump.words} dump, {self._options.words(part.dump)}" for part in parts
            )
        )
        how = "; ".join([how, *loading.words])
        not_checked = (*loading.not_checked, *loader.not_checked)
        return Loaded(name, how, tuple(loading.notes), not_checked)

    def contents(self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection) -> Check:  # noqa: ARG002 - protocol
        """Compare the dump's table of contents with the restored catalogue."""
        parts = self._choices[chosen.backup.location]
        database = chosen.backup.database
        origin = f"; the dump was taken of database {database}" if database else ""
        filled = [entry for part in parts for entry in self._filled(part.contents)]
        promises = [promise for part in parts for promise in part.promises]
        return compare(promises, connection, filled=filled, origin=origin)

    def _filled(self, contents: toc.Toc | None) -> list[Entry]:
        """Return the expected entries that must have rows, as far as the dump had rows for them.

        Without definitions this is empty: pg_restore --data-only refreshes no materialized view.
        """
        if contents is None or self._options.schema_only or self._options.data_only:
            return []
        had_rows = set(contents.filled)
        return [entry for entry in self._options.expected(contents) if entry in had_rows]
