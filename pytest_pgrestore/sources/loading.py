"""Loading a dump into a running, empty cluster: psql for text, pg_restore for archives. Every complaint counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources import dumpfile
from pytest_pgrestore.sources.complaints import blame
from pytest_pgrestore.sources.rolefile import redirected

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import psycopg

    from pytest_pgrestore.process import Completed
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.dumpfile import DumpFile
    from pytest_pgrestore.sources.protocol import Connection
    from pytest_pgrestore.sources.toc import Contents, Entry

_CREATE_DATABASE = re.compile(r"^CREATE DATABASE .*?;$", re.MULTILINE | re.DOTALL)
_PROPERTY = re.compile(r"(LOCALE_PROVIDER|LOCALE|LC_COLLATE|ICU_LOCALE|BUILTIN_LOCALE|ENCODING) = '?([^'\s;]+)'?")
_PARALLEL = ("custom", "directory")
"""Formats pg_restore can read from several processes at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """How a source's dumps are loaded; see `DumpSource` for the settings."""

    jobs: int
    tables: tuple[str, ...]
    schema_only: bool
    data_only: bool
    schema: Path | None
    owners: bool
    timeout_seconds: float

    @property
    def whole(self) -> bool:
        """Whether the whole dump is wanted, so that pg_restore may create the database itself."""
        return not (self.tables or self.data_only or self.schema_only)

    def described(self, dump: DumpFile) -> str:
        """Return how it was loaded, in words."""
        words = [f"pg_restore --jobs {self.jobs}" if dump.form in _PARALLEL else "psql" if dump.text else "pg_restore"]
        words += [f"tables {', '.join(self.tables)}"] if self.tables else []
        words += ["schema only"] if self.schema_only else []
        words += ["data only"] if self.data_only else []
        return ", ".join([*words, *([] if self.owners else ["without owners and privileges"])])

    def wants(self, entry: Entry) -> bool:
        """Tell whether an entry of the table of contents should have come back."""
        if self.tables:
            return entry.description == "TABLE" and _named(entry, self.tables)
        return not self.data_only

    def ensure_role(self, name: str, given: frozenset[str], connection: Connection) -> None:
        """Make the role every cluster has and no single dump brings, unless the globals brought it."""
        from psycopg import sql

        if name not in given and self.owners:
            with _open(connection) as session:
                session.execute(sql.SQL("create role {} superuser nologin").format(sql.Identifier(name)))

    def load_cluster(self, dump: DumpFile, sandbox: Sandbox, connection: Connection) -> None:
        """Load a pg_dumpall."""
        self.psql(redirected(dumpfile.chunks(dump), sandbox), "postgres", sandbox, connection)

    def load_plain(self, dump: DumpFile, name: str, sandbox: Sandbox, connection: Connection) -> None:
        """Load a plain pg_dump into database `name`, which it may create itself."""
        if self.tables or not self.owners:
            raise HarnessError(
                f"{dump.path.name} is a plain dump, which is loaded as it is",
                hint="tables and owners = false need a dump in custom or directory format.",
            )
        if dump.creates is None:
            _create(name, None, connection)
            self._load_schema(name, sandbox, connection)
        into = "postgres" if dump.creates is not None else name
        self.psql(dumpfile.chunks(dump), into, sandbox, connection)

    def load_archive(
        self, dump: DumpFile, contents: Contents | None, name: str, sandbox: Sandbox, connection: Connection
    ) -> None:
        """Load a custom, directory or tar archive into database `name`."""
        if contents is not None:
            _require_extensions(contents.extensions(), connection)
        statement = self._create_statement(dump, sandbox)
        itself = self.whole and self.owners and name == (contents.database if contents else None)
        if itself and _locale_works(statement, connection):
            into, create = "postgres", ["--create"]
        else:
            _create(name, statement, connection)
            into, create = name, []
            self._make_schemas(contents, name, connection)
            self._load_schema(name, sandbox, connection)
        done = sandbox.tools.run(
            "pg_restore",
            *connection.arguments(),
            "--dbname",
            into,
            *create,
            *self._options(dump),
            str(dump.path),
            env=_environment(connection),
            timeout_seconds=self.timeout_seconds,
            check=False,
            # It has to read files that only the caller may read, and it runs nothing that it reads.
            as_caller=True,
        )
        _save(done, "pg_restore", sandbox)
        error = blame("pg_restore", done.status, done.stderr)
        if error is not None:
            raise error

    def psql(self, chunks: Iterable[bytes], database: str, sandbox: Sandbox, connection: Connection) -> None:
        r"""Stream SQL through psql as the server's user: a text dump can hold ``\!``.

        Raises:
            PgRestoreError: It complained of anything, or the stream was cut short.
        """
        done = sandbox.tools.run(
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            *connection.arguments(),
            "--dbname",
            database,
            "--output",
            "/dev/null",
            stdin=chunks,
            env=_environment(connection),
            timeout_seconds=self.timeout_seconds,
            check=False,
        )
        _save(done, "psql", sandbox)
        error = blame("psql", done.status, done.stderr)
        if error is not None:
            raise error

    def _options(self, dump: DumpFile) -> list[str]:
        options = [f"--jobs={self.jobs}"] if dump.form in _PARALLEL else []
        options += [] if self.owners else ["--no-owner", "--no-privileges"]
        options += ["--schema-only"] if self.schema_only else []
        options += ["--data-only", "--disable-triggers"] if self.data_only else []
        for table in self.tables:
            schema, _, name = table.rpartition(".")
            options += [f"--table={name}", *([f"--schema={schema}"] if schema else [])]
        return options

    def _create_statement(self, dump: DumpFile, sandbox: Sandbox) -> str | None:
        """Return the CREATE DATABASE statement of the archive: its encoding and locale."""
        done = sandbox.tools.run(
            "pg_restore",
            "--create",
            "--section=pre-data",
            "--file=-",
            str(dump.path),
            timeout_seconds=self.timeout_seconds,
            check=False,
            as_caller=True,
        )
        match = _CREATE_DATABASE.search(done.stdout)
        return match[0] if match else None

    def _make_schemas(self, contents: Contents | None, name: str, connection: Connection) -> None:
        """Make the schemas of single tables: pg_restore --table brings the table alone."""
        from psycopg import sql

        entries = contents.entries if contents and self.tables else ()
        schemas = {entry.schema for entry in entries if entry.description == "TABLE" and _named(entry, self.tables)}
        if self.tables and not schemas:
            raise BackupNotRestorable(
                f"the dump holds none of the tables {', '.join(self.tables)}", hint="correct `tables` in the source."
            )
        with _open(connection, name) as session:
            for schema in sorted(schemas - {"public"}):
                session.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))

    def _load_schema(self, name: str, sandbox: Sandbox, connection: Connection) -> None:
        if self.schema is None:
            return
        dump = dumpfile.sniff(self.schema)
        if dump is None or dump.form != "plain":
            raise HarnessError(
                f"{self.schema} is not a plain dump", hint="make it with pg_dump --schema-only, and no other format."
            )
        self.psql(dumpfile.chunks(dump), name, sandbox, connection)


def _named(entry: Entry, tables: tuple[str, ...]) -> bool:
    return entry.tag in tables or f"{entry.schema}.{entry.tag}" in tables


def _require_extensions(names: set[str], connection: Connection) -> None:
    with _open(connection) as session:
        present = {row[0] for row in session.execute("select name from pg_available_extensions").fetchall()}
    missing = sorted(names - present)
    if missing:
        raise HarnessError(
            f"the dump needs extensions the sandbox does not have: {', '.join(missing)}",
            hint="install them beside the server programs, or name a directory that has them in sandbox.bindir.",
        )


def _locale_works(statement: str | None, connection: Connection) -> bool:
    """Tell whether the database's locale is known here, by making a collation of it that is thrown away."""
    import psycopg
    from psycopg import sql

    if statement is None:
        return False
    found = {match[1]: match[2] for match in _PROPERTY.finditer(statement)}
    provider = found.get("LOCALE_PROVIDER", "libc")
    locale = found.get("ICU_LOCALE") or found.get("BUILTIN_LOCALE") or found.get("LOCALE") or found.get("LC_COLLATE")
    probe = sql.SQL("create collation pgrestore_probe (provider = {}, locale = {})")
    try:
        with _open(connection) as session, session.transaction(force_rollback=True):
            session.execute(probe.format(sql.Identifier(provider), sql.Literal(locale or "C")))
    except psycopg.Error:
        return False
    return True


def _create(name: str, statement: str | None, connection: Connection) -> None:
    """Make the database, with the dump's encoding and locale where it tells and they work here."""
    from psycopg import sql

    create = sql.SQL("create database {} template template0").format(sql.Identifier(name))
    found = {match[1]: match[2] for match in _PROPERTY.finditer(statement or "")}
    if "ENCODING" in found:
        create += sql.SQL(" encoding {}").format(sql.Literal(found["ENCODING"]))
        create += sql.SQL(" locale 'C'") if found["ENCODING"] != "UTF8" else sql.SQL("")
    if found.get("ENCODING") == "UTF8" and found.get("LOCALE_PROVIDER", "libc") == "libc" and "LOCALE" in found:
        create += sql.SQL(" locale {}").format(
            sql.Literal(found["LOCALE"] if _locale_works(statement, connection) else "C.UTF-8")
        )
    with _open(connection) as session:
        session.execute(create)


def _open(connection: Connection, database: str | None = None) -> psycopg.Connection[Any]:
    import psycopg

    return psycopg.connect(connection.conninfo(database), autocommit=True)


def _environment(connection: Connection) -> dict[str, str]:
    return {"PGOPTIONS": connection.options}


def _save(done: Completed, tool: str, sandbox: Sandbox) -> None:
    """Keep what the tool said beside the server's log."""
    with (sandbox.logs / f"{tool}.log").open("a", encoding="utf-8") as stream:
        stream.write(done.stderr)
