"""Loading a dump into a running, empty cluster: psql for SQL, pg_restore for archives.

Any error that a tool reports makes the load fail, whatever the tool's exit status is.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sources.dump.loading import (
    archive_input,
    archive_options,
    archive_roles,
    blame,
)
from pytest_pgrestore.sources.dump.loading.before import run_before
from pytest_pgrestore.sources.dump.loading.clients import Clients
from pytest_pgrestore.sources.dump.loading.databases import EXISTING, make_empty
from pytest_pgrestore.sources.dump.loading.left_out import left_out, set_owners
from pytest_pgrestore.sources.dump.loading.sql_rewrite import Rewriter
from pytest_pgrestore.sources.dump.loading.tolerated import not_checked
from pytest_pgrestore.sources.dump.reading import archive_files, completeness, dump_file

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.dump.loading.options import LoadOptions
    from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream
    from pytest_pgrestore.sources.dump.loading.tolerated import Tolerated
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
        notes: What was tolerated or run besides, one sentence each.
        skipped: Extensions that were left out.
    """

    def __init__(self, options: LoadOptions, sandbox: Sandbox, connection: Connection) -> None:
        self.words: list[str] = []
        self.notes: list[str] = []
        self.skipped: list[str] = []
        self._before_is_run = False
        self._options = options
        self._sandbox = sandbox
        self._places = count(1)
        self._clients = Clients(sandbox, connection, options.timeout_seconds, options.limits)

    @property
    def not_checked(self) -> list[str]:
        """What was left out, one sentence each."""
        return not_checked(self.skipped)

    def ensure_superuser(self) -> None:
        """Create the role ``postgres`` if it is missing.

        Nearly every server has it, and a dump of one database contains no roles.
        """
        with self._clients.session() as session:
            query = "select 1 from pg_roles where rolname = 'postgres'"
            if session.execute(query).fetchone() is None:
                session.execute("create role postgres superuser nologin")

    def sql(
        self, dump: DumpFile, database: str, *, stand_ins: bool = False, empty: bool = True
    ) -> SqlStream:
        r"""Stream plain SQL through psql into `database`.

        psql runs as the server's user. It gets no command of the dump, but those we write.

        Args:
            dump: The plain dump.
            database: Database of the first connection.
            stand_ins: Whether roles that the SQL names are created, without rights.
            empty: Whether nothing was loaded before, so that there is nothing to drop.

        Raises:
            BackupNotRestorable: psql reported an error, or the dump is cut short.
            HarnessError: The sandbox lacks something the dump needs.
        """
        with self._clients.session() as session:
            rewriter = self._rewriter(session, stand_ins=stand_ins, empty=empty)
            stream = self._clients.stream(dump_file.chunks(dump), rewriter, dump.path.name)
            done = self._clients.psql(stream, database)
            self._keep(rewriter.tolerated)
            self.words += rewriter.words
        if stream.finished or stream.ending.has_other_text:
            completeness.require_end(dump, stream.ending, unmarked=self._options.unmarked)
        situation = self._options.situation(dump)
        self._clients.judge(done, f"psql, {dump.path.name}", situation, dump)
        return stream

    def _rewriter(
        self, session: psycopg.Connection[Any], *, stand_ins: bool = False, empty: bool = True
    ) -> Rewriter:
        return Rewriter(
            self._sandbox,
            session,
            self._places,
            stand_ins=stand_ins,
            empty=empty,
            skipped=frozenset(self._options.skip_extensions),
        )

    def _keep(self, tolerated: Tolerated) -> None:
        """Keep what was tolerated for the evidence."""
        self.notes += [note for note in tolerated.sentences() if note not in self.notes]
        self.skipped += [name for name in tolerated.skipped if name not in self.skipped]

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
            self._make_database(dump, contents, database)
            self._run_before(database)
            self._load_schema(database)
        options = archive_options.given(self._options, dump)
        out = left_out(contents, self._options.skip_extensions)
        if out.ids or self._options.tables:
            scratch = self._sandbox.programs.scratch
            path = archive_options.write_list(self._options, contents, out.ids, scratch)
            options.append(f"--use-list={path}")
        self._keep(out.tolerated)
        if self._options.owners and out.owners:
            with self._clients.session(database) as session:
                set_owners(session, out.owners)
        archive_files.require_regular(dump)
        if not self._options.owners and contents.of_type(*archive_roles.TYPES):
            with (
                self._given(dump, readable=readable) as archive,
                self._clients.session() as session,
            ):
                archive_roles.make_roles(archive, self._sandbox.programs, session, dump.path.name)
        with self._given(dump, readable=readable) as archive:
            done = self._clients.pg_restore(archive, database, options)
        self.words += [archive.note] if archive.note else []
        self._clients.judge(done, f"pg_restore, {dump.path.name}", self._options.situation(dump))

    def _given(
        self, dump: DumpFile, *, readable: bool
    ) -> AbstractContextManager[archive_input.ArchiveInput]:
        """Give the archive to pg_restore, in place if it may read it."""
        if readable:
            return nullcontext(archive_input.in_place(dump))
        return archive_input.whole(dump, self._sandbox, parallel=self._options.jobs > 1)

    def plain(self, dump: DumpFile, database: str, *, make: bool = True) -> SqlStream:
        """Load a plain dump of one database into `database`; a dump with --create creates it.

        `make`: whether the database is created; not for the second file of several.
        """
        stand_ins = not self._options.owners
        if dump.database is not None:
            if make:
                self._run_before("postgres")
            return self.sql(dump, "postgres", stand_ins=stand_ins)
        if make:
            self._make_empty(database, dump.encoding)
            self._run_before(database)
            self._load_schema(database)
        empty = make and self._options.before is None
        return self.sql(dump, database, stand_ins=stand_ins, empty=empty)

    def run_before_cluster(self) -> None:
        """Run the file of the setting `before` for a dump that makes its databases itself."""
        self._run_before("postgres")

    def make_for_before(self, database: str) -> None:
        """Make the database and run the file of `before` in it, in front of a file of roles."""
        self._make_empty(database, None)
        self._run_before(database)

    def _run_before(self, database: str) -> None:
        """Run the file of the setting `before`, if any; once."""
        if self._options.before is not None and not self._before_is_run:
            self._before_is_run = True
            self.notes.append(run_before(self._options.before, self._clients, database))

    def _make_database(self, dump: DumpFile, contents: Toc, database: str) -> None:
        """Create the database with the archive's encoding, locale, owner and settings.

        The database is created with defaults if the archive has no such statements.
        """
        if not contents.database_sql or database in EXISTING:
            self._make_empty(database, None)
            return
        with self._clients.session() as session:
            rewriter = self._rewriter(session, stand_ins=not self._options.owners)
            script = contents.database_sql.encode()
            stream = self._clients.stream([script], rewriter, f"the archive of {database}")
            done = self._clients.psql(stream, "postgres")
            self.words += rewriter.words
        situation = self._options.situation(dump)
        self._clients.judge(done, f"psql, making database {database}", situation)

    def _make_empty(self, database: str, encoding: str | None) -> None:
        """Create the database if no cluster has it; `encoding` is the dump's client encoding."""
        if database not in EXISTING:
            with self._clients.session() as session:
                make_empty(session, database, encoding)

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
        missing = sorted(wanted - {row[0] for row in rows} - set(self._options.skip_extensions))
        if missing and not self._options.tables and not self._options.data_only:
            raise blame.extensions_missing("the dump", missing)
