"""Loading a dump into a running, empty cluster: psql for SQL, pg_restore for archives. Every complaint counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.sources.dump.loading import messages
from pytest_pgrestore.sources.dump.loading.sql_rewrite import EXISTING, Rewriter, roles_named
from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream
from pytest_pgrestore.sources.dump.loading.tables import choose_tables, entries_of, use_list
from pytest_pgrestore.sources.dump.reading import dump_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import psycopg

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.sources.dump.reading.toc import Entry, Toc
    from pytest_pgrestore.sources.protocol import Connection
    from pytest_pgrestore.system.process import Completed

_PARALLEL = ("custom", "directory")
"""Formats pg_restore can read from several processes at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What of a dump is loaded, and how; see `DumpSource` for the settings."""

    jobs: int
    tables: tuple[str, ...] = ()
    schema_only: bool = False
    data_only: bool = False
    schema: Path | None = None
    owners: bool = True
    timeout_seconds: float = 3600.0

    def require_possible(self, dump: DumpFile) -> None:
        """Refuse settings that this dump's form cannot honour: silently loading all of it would lie.

        Raises:
            ConfigError: A setting needs another form of dump.
        """
        asked = {"tables": bool(self.tables), "schema_only": self.schema_only}
        if dump.form == "cluster":
            asked |= {"data_only": self.data_only, "owners = false": not self.owners}
        wrong = [name for name, given in asked.items() if given]
        if wrong and not dump.is_archive:
            raise ConfigError(
                f"{dump.path.name} is plain SQL, which is loaded as a whole: {', '.join(wrong)} cannot be honoured",
                hint="take the dump in custom or directory format, or remove the setting.",
            )

    def words(self, dump: DumpFile) -> str:
        """Return how it is loaded, in words."""
        tool = f"pg_restore --jobs {self.jobs}" if dump.form in _PARALLEL else "pg_restore"
        found = [tool if dump.is_archive else "psql"]
        found += [f"tables {', '.join(self.tables)}"] if self.tables else []
        found += ["schema only"] if self.schema_only else []
        found += ["data only"] if self.data_only else []
        found += [] if self.owners else ["without owners and privileges"]
        return ", ".join(found)

    def expected(self, contents: Toc) -> tuple[Entry, ...]:
        """Return the entries that have to be in the catalogue afterwards."""
        if self.tables:
            return entries_of(contents, choose_tables(contents, self.tables))
        return contents.filled if self.data_only else contents.entries


class Loading:
    """One dump being loaded.

    Args:
        choice: What to load.
        sandbox: Where the server runs.
        connection: To its database ``postgres``.

    Attributes:
        words: What was changed on the way that a reader of the report has to know.
    """

    def __init__(self, choice: Choice, sandbox: Sandbox, connection: Connection) -> None:
        self.words: list[str] = []
        self._choice = choice
        self._sandbox = sandbox
        self._connection = connection

    def ensure_superuser(self) -> None:
        """Make the role ``postgres``, which nearly every server has and no dump of one database brings."""
        with self._open() as session:
            if (
                session.execute("select 1 from pg_roles where rolname = 'postgres'").fetchone()
                is None
            ):
                session.execute("create role postgres superuser nologin")

    def sql(self, dump: DumpFile, database: str, *, stand_ins: bool = False) -> SqlStream:
        r"""Stream plain SQL through psql into `database`, as the server's user: a dump can hold ``\!``.

        Raises:
            BackupNotRestorable: psql complained, or the dump is cut short.
            HarnessError: The sandbox lacks something.
        """
        with self._open() as session:
            rewriter = Rewriter(self._sandbox, session, stand_ins=stand_ins)
            stream = SqlStream(dump_file.chunks(dump), rewriter)
            done = self._psql(stream, database)
            self.words += rewriter.words
        if stream.finished:
            dump_file.require_closing_line(dump, stream.tail)
        self._judge(done, f"psql, {dump.path.name}", dump)
        return stream

    def archive(self, dump: DumpFile, contents: Toc, database: str) -> None:
        """Load a custom, directory or tar archive into `database`, which is made first.

        Raises:
            BackupNotRestorable: pg_restore complained of anything.
            HarnessError: The sandbox lacks something.
        """
        self._require_extensions(contents)
        self._make_database(contents, database)
        self._load_schema(database)
        done = self._sandbox.programs.run(
            "pg_restore",
            *self._connection.arguments(),
            "--dbname",
            database,
            *self._options(dump, contents),
            str(dump.path),
            env=self._environment(),
            timeout_seconds=self._choice.timeout_seconds,
            check=False,
            # It has to read files that only the caller may read, and it runs nothing that it reads.
            as_caller=True,
        )
        self._judge(done, f"pg_restore, {dump.path.name}")

    def plain(self, dump: DumpFile, database: str) -> SqlStream:
        """Load a plain dump of one database into `database`, which it may make itself."""
        stand_ins = not self._choice.owners
        if dump.database is not None:
            return self.sql(dump, "postgres", stand_ins=stand_ins)
        self._make_empty(database, dump.encoding)
        self._load_schema(database)
        return self.sql(dump, database, stand_ins=stand_ins)

    def _options(self, dump: DumpFile, contents: Toc) -> list[str]:
        choice = self._choice
        options = [f"--jobs={choice.jobs}"] if dump.form in _PARALLEL else []
        options += [] if choice.owners else ["--no-owner", "--no-privileges"]
        options += ["--schema-only"] if choice.schema_only else []
        # The keys are there already, and an archive's rows are not sorted by them.
        options += ["--data-only", "--disable-triggers"] if choice.data_only else []
        if choice.tables:
            chosen = self._sandbox.root / "tables.list"
            chosen.write_text(
                use_list(contents, choose_tables(contents, choice.tables)), encoding="utf-8"
            )
            options.append(f"--use-list={chosen}")
        return options

    def _make_database(self, contents: Toc, database: str) -> None:
        """Make the database as the archive says: encoding, locale, owner, settings; or empty where it does not."""
        if not contents.database_sql or database in EXISTING:
            self._make_empty(database, None)
            return
        statements = contents.database_sql.splitlines(keepends=True)
        if not self._choice.owners:
            statements = [line for line in statements if line.startswith("CREATE DATABASE ")]
        with self._open() as session:
            rewriter = Rewriter(self._sandbox, session)
            done = self._psql([rewriter("".join(statements).encode())], "postgres")
            self.words += rewriter.words
        self._judge(done, f"psql, making database {database}")

    def _make_empty(self, database: str, encoding: str | None) -> None:
        from psycopg import sql

        if database in EXISTING:
            return
        # Other encodings are converted on the way in; this one means that bytes are not to be looked at.
        extra = " encoding 'SQL_ASCII' locale 'C'" if encoding == "SQL_ASCII" else ""
        with self._open() as session:
            create = sql.SQL("create database {} template template0").format(
                sql.Identifier(database)
            )
            session.execute(create + sql.SQL(extra))

    def _load_schema(self, database: str) -> None:
        if self._choice.schema is None:
            return
        dump = dump_file.inspect(self._choice.schema) if self._choice.schema.exists() else None
        if dump is None or dump.form != "plain" or dump.database is not None:
            raise ConfigError(
                f"schema_file names {self._choice.schema}, which is not a plain dump of definitions",
                hint="make it with pg_dump --schema-only, and without --create.",
            )
        dump_file.require_complete(dump)
        self.sql(dump, database, stand_ins=not self._choice.owners)

    def _require_extensions(self, contents: Toc) -> None:
        with self._open() as session:
            known = {
                row[0]
                for row in session.execute("select name from pg_available_extensions").fetchall()
            }
        missing = sorted({entry.name for entry in contents.of_type("EXTENSION")} - known)
        if missing and not self._choice.tables and not self._choice.data_only:
            raise messages.extensions_missing("the dump", missing)

    def _psql(self, chunks: Iterable[bytes], database: str) -> Completed:
        return self._sandbox.programs.run(
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--file=-",
            "--output=/dev/null",
            *self._connection.arguments(),
            "--dbname",
            database,
            stdin=chunks,
            env=self._environment(),
            timeout_seconds=self._choice.timeout_seconds,
            check=False,
        )

    def _judge(self, done: Completed, what: str, dump: DumpFile | None = None) -> None:
        """Save what a tool said, without row values, and raise what it means.

        Raises:
            PgRestoreError: It ended with an error, or complained of one.
        """
        found = messages.complaints(done.stderr)
        if found:
            with (self._sandbox.logs / "load.log").open("a", encoding="utf-8") as stream:
                stream.writelines(f"{what}: {entry}\n" for entry in found)
        if not found and done.status == 0:
            return
        if not found:
            raise HarnessError(
                f"{what}: ended with status {done.status} and no word", hint="read the server log."
            )
        error = messages.blame(what, found)
        roles = messages.missing_roles(found)
        if roles and isinstance(error, BackupNotRestorable):
            raise messages.roles_missing(
                what, (self._all_missing(dump) if dump is not None else []) or roles
            )
        raise error

    def _all_missing(self, dump: DumpFile) -> list[str]:
        """Return every role that plain SQL names and nothing made: psql stopped at the first one."""
        named: set[str] = set()

        def note(stretch: bytes) -> bytes:
            named.update(roles_named(stretch))
            return stretch

        for _ in SqlStream(dump_file.chunks(dump), note):
            pass
        with self._open() as session:
            there = {row[0] for row in session.execute("select rolname from pg_roles").fetchall()}
        return sorted(named - there)

    def _environment(self) -> dict[str, str]:
        # The tool tells us every error; in the server's log, which is kept, the same message would quote rows.
        return {"PGOPTIONS": f"{self._connection.options} -c log_min_messages=log"}

    def _open(self) -> psycopg.Connection[Any]:
        import psycopg

        return psycopg.connect(self._connection.conninfo(), autocommit=True)
