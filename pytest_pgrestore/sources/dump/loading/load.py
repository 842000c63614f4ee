"""Loading a dump into a running, empty cluster: psql for SQL, pg_restore for archives.

Any error that a tool reports makes the load fail, whatever the tool's exit status is.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import nullcontext
from itertools import count
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sources.dump.loading import archive_input, causes
from pytest_pgrestore.sources.dump.loading.clients import Clients
from pytest_pgrestore.sources.dump.loading.options import PARALLEL_FORMS
from pytest_pgrestore.sources.dump.loading.sql_rewrite import EXISTING, Rewriter
from pytest_pgrestore.sources.dump.loading.tables import choose_tables, use_list
from pytest_pgrestore.sources.dump.reading import archive_files, completeness, dump_file

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.dump.loading.options import LoadOptions
    from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.sources.dump.reading.toc import Toc
    from pytest_pgrestore.sources.protocol import Connection


class Loading:
    """Loads one dump.

    Args:
        options: What is loaded, and how.
        sandbox: Where the server runs.
        connection: Connection to the server's database ``postgres``.

    Attributes:
        words: Changes made while loading that the report must name.
    """

    def __init__(self, options: LoadOptions, sandbox: Sandbox, connection: Connection) -> None:
        self.words: list[str] = []
        self._options = options
        self._sandbox = sandbox
        self._places = count(1)
        self._clients = Clients(sandbox, connection, options.timeout_seconds, options.limits)

    def ensure_superuser(self) -> None:
        """Create the role ``postgres`` if it is missing.

        Nearly every server has it, and a dump of one database contains no roles.
        """
        with self._clients.session() as session:
            query = "select 1 from pg_roles where rolname = 'postgres'"
            if session.execute(query).fetchone() is None:
                session.execute("create role postgres superuser nologin")

    def sql(self, dump: DumpFile, database: str, *, stand_ins: bool = False) -> SqlStream:
        r"""Stream plain SQL through psql into `database`.

        psql runs as the server's user. It gets no command of the dump, but those we write.

        Args:
            dump: The plain dump.
            database: Database of the first connection.
            stand_ins: Whether roles that the SQL names are created, without rights.

        Raises:
            BackupNotRestorable: psql reported an error, or the dump is cut short.
            HarnessError: The sandbox lacks something the dump needs.
        """
        with self._clients.session() as session:
            rewriter = Rewriter(self._sandbox, session, self._places, stand_ins=stand_ins)
            stream = self._clients.stream(dump_file.chunks(dump), rewriter, dump.path.name)
            done = self._clients.psql(stream, database)
            self.words += rewriter.words
        if stream.finished or stream.ending.has_other_text:
            completeness.require_end(dump, stream.ending, unmarked=self._options.unmarked)
        self._clients.judge(done, f"psql, {dump.path.name}", dump)
        return stream

    def archive(
        self, dump: DumpFile, contents: Toc, database: str, *, readable: bool, make: bool = True
    ) -> None:
        """Create `database` and load a custom, directory or tar archive into it.

        `readable`: whether the server's user can read the archive in place. `make`: whether the
        database is created; not for the second file of several.

        Raises:
            BackupNotRestorable: pg_restore reported an error.
            HarnessError: The sandbox lacks something the archive needs.
        """
        self._require_extensions(contents)
        if make:
            self._make_database(contents, database)
            self._load_schema(database)
        options = self._restore_options(dump, contents)
        archive_files.require_regular(dump)
        given = (
            nullcontext(archive_input.in_place(dump))
            if readable
            else archive_input.whole(dump, self._sandbox, parallel=self._options.jobs > 1)
        )
        with given as archive:
            done = self._clients.pg_restore(archive, database, options)
        self.words += [archive.note] if archive.note else []
        self._clients.judge(done, f"pg_restore, {dump.path.name}")

    def plain(self, dump: DumpFile, database: str, *, make: bool = True) -> SqlStream:
        """Load a plain dump of one database into `database`; a dump with --create creates it.

        `make`: whether the database is created; not for the second file of several.
        """
        stand_ins = not self._options.owners
        if dump.database is not None:
            return self.sql(dump, "postgres", stand_ins=stand_ins)
        if make:
            self._make_empty(database, dump.encoding)
            self._load_schema(database)
        return self.sql(dump, database, stand_ins=stand_ins)

    def _restore_options(self, dump: DumpFile, contents: Toc) -> list[str]:
        """Return the options of pg_restore; write the list of tables if only some are loaded."""
        found = []
        if dump.form in PARALLEL_FORMS and self._options.jobs > 1:
            found.append(f"--jobs={self._options.jobs}")
        if not self._options.owners:
            found += ["--no-owner", "--no-privileges"]
        if self._options.schema_only:
            found.append("--schema-only")
        if self._options.data_only:
            # Foreign keys exist already, and an archive's tables are not sorted by them.
            found += ["--data-only", "--disable-triggers"]
        if self._options.tables:
            chosen = choose_tables(contents, self._options.tables)
            # Not in the sandbox: programs of the dump may run in it, and make links there.
            scratch = self._sandbox.programs.scratch
            descriptor, listed = tempfile.mkstemp(".list", "tables-", scratch)
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(descriptor, 0o644)
                stream.write(use_list(contents, chosen).encode())
            found.append(f"--use-list={listed}")
        return found

    def _make_database(self, contents: Toc, database: str) -> None:
        """Create the database with the archive's encoding, locale, owner and settings.

        The database is created with defaults if the archive has no such statements.
        """
        if not contents.database_sql or database in EXISTING:
            self._make_empty(database, None)
            return
        statements = contents.database_sql.splitlines(keepends=True)
        if not self._options.owners:
            statements = [line for line in statements if line.startswith("CREATE DATABASE ")]
        with self._clients.session() as session:
            rewriter = Rewriter(self._sandbox, session, self._places)
            script = "".join(statements).encode()
            stream = self._clients.stream([script], rewriter, f"the archive of {database}")
            done = self._clients.psql(stream, "postgres")
            self.words += rewriter.words
        self._clients.judge(done, f"psql, making database {database}")

    def _make_empty(self, database: str, encoding: str | None) -> None:
        """Create the database if no cluster has it; `encoding` is the dump's client encoding."""
        from psycopg import sql

        if database in EXISTING:
            return
        # The server converts other encodings. It does not convert or check SQL_ASCII.
        # Source: PostgreSQL docs, "Character Set Support".
        extra = " encoding 'SQL_ASCII' locale 'C'" if encoding == "SQL_ASCII" else ""
        with self._clients.session() as session:
            create = sql.SQL("create database {} template template0").format(
                sql.Identifier(database)
            )
            session.execute(create + sql.SQL(extra))

    def _load_schema(self, database: str) -> None:
        """Load the definitions that the setting `schema_file` names, if any.

        Raises:
            ConfigError: The file is no plain dump of one database.
        """
        path = self._options.schema
        if path is None:
            return
        dump = dump_file.inspect(path) if path.exists() else None
        if dump is None or dump.form != "plain" or dump.database is not None:
            raise ConfigError(
                f"schema_file names {path}, which is not a plain dump of definitions",
                hint="make it with pg_dump --schema-only, and without --create.",
            )
        completeness.require_complete(dump)
        self.sql(dump, database, stand_ins=not self._options.owners)

    def _require_extensions(self, contents: Toc) -> None:
        with self._clients.session() as session:
            rows = session.execute("select name from pg_available_extensions").fetchall()
        wanted = {entry.name for entry in contents.of_type("EXTENSION")}
        missing = sorted(wanted - {row[0] for row in rows})
        if missing and not self._options.tables and not self._options.data_only:
            raise causes.extensions_missing("the dump", missing)
