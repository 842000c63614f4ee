"""Source `dump`: dumps of pg_dump and pg_dumpall in every format, loaded into an empty cluster.

A dump contains the data of the moment it began (pg_dump reads in one snapshot). Everything
committed while it ran is missing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.sources.dump import catalogue
from pytest_pgrestore.sources.dump.archive_contents import read_contents
from pytest_pgrestore.sources.dump.contents import compare
from pytest_pgrestore.sources.dump.loading.disk_guard import keeping_free
from pytest_pgrestore.sources.dump.loading.extensions import extensions_of
from pytest_pgrestore.sources.dump.loading.limits import LoadLimits
from pytest_pgrestore.sources.dump.loading.load import Loading
from pytest_pgrestore.sources.dump.loading.options import LoadOptions
from pytest_pgrestore.sources.dump.loading.role_file import RoleFile, require_roles
from pytest_pgrestore.sources.dump.part import Part, promised_by
from pytest_pgrestore.sources.dump.reading import completeness, dump_file, globs
from pytest_pgrestore.sources.protocol import ChosenBackup, Loaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, Sandbox, ToolRunner
    from pytest_pgrestore.sources.dump.reading import toc
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
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
        patterns = [path] if isinstance(path, str) else path
        self._paths = [catalogue.DumpPaths(pattern, self._globals) for pattern in patterns]
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
            limits=limits or LoadLimits(),
            timeout_seconds=timeout_seconds,
        )
        self._choices: dict[Path | str, list[Part]] = {}

    @property
    def places(self) -> tuple[Path, ...]:
        """The paths below which the dumps are.

        Roles and definitions are not included: this process reads them and sends them to psql.
        """
        return tuple(dict.fromkeys(globs.place(paths.pattern) for paths in self._paths))

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - protocol
        """Return the names of the checks this source reports."""
        return ("contents",)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:  # noqa: ARG002 - protocol
        """Return the dumps, oldest first. Other files are left out."""
        candidates = [path for paths in self._paths for path in paths.candidates()]
        found = map(dump_file.inspect, candidates)
        return [catalogue.entry_of(dump) for dump in found if dump is not None]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the newest dump and check that it is complete, without loading it."""
        if not isinstance(request.target, Latest):
            raise ConfigError(
                f"source {self.name} is a dump and cannot be recovered to {request.target}",
                hint="a dump holds one moment: use target latest, or a base backup with a WAL"
                " archive.",
            )
        found = [paths.chosen() for paths in self._paths]
        dumps = [dump for dump, _ in found]
        for dump in dumps:
            self._options.require_possible(dump)
            completeness.require_complete(dump)
        major = catalogue.major_of(dumps)
        programs = request.find_programs(major)
        parts = [self._part(dump, programs) for dump in dumps]
        backup = catalogue.entry_of_all(dumps)
        self._choices[backup.location] = parts
        needed = sum(map(catalogue.needed_bytes, dumps))
        copied = sum(part.dump.size_bytes for part in parts if not part.readable)
        roles = [] if self._globals is None else [self._globals.newest().path]
        return ChosenBackup(
            backup=backup,
            selection=catalogue.selection([words for _, words in found]),
            server_major=major or programs.major,
            needed_bytes=needed + copied,
            not_checked=catalogue.not_checked(dumps),
            notes=catalogue.notes(dumps, programs),
            backup_paths=(*(dump.path for dump in dumps), *roles),
            extensions=self._options.wanted(extensions_of(parts)),
            loaded_into=self._name_of(parts),
        )

    def _part(self, dump: DumpFile, programs: PostgresPrograms) -> Part:
        """Read an archive's table of contents, and check that the dump can be loaded."""
        contents, readable = read_contents(dump, programs) if dump.is_archive else (None, True)
        self._require_database(dump)
        if contents is not None:
            require_roles(self._options, self._globals, dump, contents)
            self._options.expected(contents)
        return Part(dump, contents, readable)

    def load(self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection) -> Loaded:
        """Load roles, then the dump."""
        parts = self._choices[chosen.backup.location]
        loading = Loading(self._options, sandbox, connection)
        with keeping_free(sandbox, self._options.limits.kept_free_bytes):
            name = self._load(parts, loading)
        how = " and ".join(
            dict.fromkeys(
                f"{part.dump.words} dump, {self._options.words(part.dump)}" for part in parts
            )
        )
        how = "; ".join([how, *loading.words])
        return Loaded(name, how, tuple(loading.notes), tuple(loading.not_checked))

    def _load(self, parts: list[Part], loading: Loading) -> str:
        """Load roles, then the dumps in their order; return their database."""
        if self._globals is not None:
            loading.sql(self._globals.newest(), "postgres")
        name, made = self._name_of(parts) or self.name, False
        for part in parts:
            if part.dump.form == "cluster":
                name = self._load_cluster(part, loading)
            else:
                loading.ensure_superuser()
                part.promised = {name: self._load_one(part, loading, name, make=not made)}
            made = True
        return name

    def _name_of(self, parts: list[Part]) -> str | None:
        """Return the database that dumps of one database are loaded into."""
        if any(part.dump.form == "cluster" for part in parts):
            return None
        named = (part.dump.database for part in parts if part.dump.database)
        return self._database or next(named, self.name)

    def _load_cluster(self, part: Part, loading: Loading) -> str:
        """Load a dump of pg_dumpall; return the database in which assertions run."""
        loading.run_before_cluster()
        stream = loading.sql(part.dump, "postgres")
        # Entries before the first \connect belong to no database.
        part.promised = {
            database: found for database, found in stream.entries.items() if database is not None
        }
        name = self._database or catalogue.only_database(list(part.promised))
        if name not in part.promised:
            raise catalogue.not_in_the_dump(part.dump, name, list(part.promised))
        return name

    def _load_one(self, part: Part, loading: Loading, name: str, *, make: bool) -> list[Entry]:
        """Load a dump of one database into database `name`; return what it promises."""
        if part.contents is not None:
            loading.archive(part.dump, part.contents, name, readable=part.readable, make=make)
            return list(self._options.expected(part.contents))
        stream = loading.plain(part.dump, name, make=make)
        found = [entry for entries in stream.entries.values() for entry in entries]
        return list(self._options.not_skipped(found))

    def contents(self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection) -> Check:  # noqa: ARG002 - protocol
        """Compare the dump's table of contents with the restored catalogue."""
        parts = self._choices[chosen.backup.location]
        database = chosen.backup.database
        origin = f"; the dump was taken of database {database}" if database else ""
        filled = [entry for part in parts for entry in self._filled(part.contents)]
        return compare(promised_by(parts), connection, filled=filled, origin=origin)

    def _filled(self, contents: toc.Toc | None) -> list[Entry]:
        """Return the expected entries that must have rows, as far as the dump had rows for them.

        Without definitions this is empty: pg_restore --data-only refreshes no materialized view.
        """
        if contents is None or self._options.schema_only or self._options.data_only:
            return []
        had_rows = set(contents.filled)
        return [entry for entry in self._options.expected(contents) if entry in had_rows]

    def _require_database(self, dump: DumpFile) -> None:
        if dump.database is None or self._database is None:
            return
        if dump.database != self._database:
            raise catalogue.not_in_the_dump(dump, self._database, [dump.database])
