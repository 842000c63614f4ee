"""One empty server of a sandbox into which many small dumps are loaded, each into its own database.

A drill starts a server for each dump: the words of an error do not need that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.restore import logical
from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.restore.server.start import wait_until_open
from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, Sandbox
from pytest_pgrestore.sources.connection import Connection
from pytest_pgrestore.sources.dump.archive_contents import read_contents
from pytest_pgrestore.sources.dump.loading.load import Loading
from pytest_pgrestore.sources.dump.loading.options import LoadOptions
from pytest_pgrestore.sources.dump.reading import dump_file
from tests.real.runtimes import opened_run

HEAD = (
    "--\n-- PostgreSQL database {word}dump\n--\n\nSET statement_timeout = 0;\n"
    "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n"
    "SET check_function_bodies = false;\nSET client_min_messages = warning;\n\n"
)
END = "\n\n--\n-- PostgreSQL database {word}dump complete\n--\n\n"


@dataclass
class Loaded:
    """What one load left."""

    database: str
    error: PgRestoreError | None
    notes: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Verdict of a drill that ends so."""
        return "passed" if self.error is None else str(self.error.verdict)

    @property
    def words(self) -> str:
        """What the user reads."""
        return "" if self.error is None else str(self.error)


@dataclass
class LoadingServer:
    """A running server, and a directory for dumps."""

    major: int
    programs: PostgresPrograms
    sandbox: Sandbox
    connection: Connection
    dumps: Path

    def load(self, dump: Path, **options: Any) -> Loaded:
        """Load a dump into a database of its own."""
        database = f"d{uuid4().hex[:8]}"
        loading = Loading(LoadOptions(jobs=1, **options), self.sandbox, self.connection)
        error = None
        try:
            found = dump_file.inspect(dump)
            assert found is not None
            if found.form == "cluster":
                loading.sql(found, "postgres")
            elif found.is_archive:
                database = found.database or database
                with self.connection.ask() as session:
                    session.execute(f'drop database if exists "{database}"'.encode())
                contents, readable = read_contents(found, self.programs)
                loading.archive(found, contents, database, readable=readable)
            else:
                loading.plain(found, database)
        except PgRestoreError as exc:
            error = exc
        return Loaded(database, error, loading.notes, loading.not_checked)

    def sql(self, text: str, *, cluster: bool = False, **options: Any) -> Loaded:
        """Load a plain dump that holds `text`."""
        path = self.dumps / f"{uuid4().hex[:8]}.sql"
        word = "cluster " if cluster else ""
        path.write_text(HEAD.format(word=word) + text + END.format(word=word))
        path.chmod(0o644)
        return self.load(path, **options)

    def value(self, loaded: Loaded, query: str) -> Any:
        """Return what a query answers in the loaded database."""
        with self.connection.ask(loaded.database) as session:
            row = session.execute(query.encode()).fetchone()
        return None if row is None else row[0]


@contextmanager
def loading_server(major: int, dumps: Path) -> Iterator[LoadingServer]:
    """Start a server as a drill of a dump does, and remove it afterwards."""
    with opened_run("local") as run:
        programs = run.find_programs(major)
        sandbox = run.sandbox("loading", programs)
        try:
            logical._make_cluster(sandbox, "pgr_test")
            sandbox.start({**server_settings(major, "loading"), **logical.LOADING, "fsync": "off"})
            wait_until_open(sandbox, "the empty server", 60)
            connection = logical._connection(sandbox, "pgr_test", 60)
            yield LoadingServer(major, programs, sandbox, connection, dumps)
        finally:
            sandbox.close()
