"""PostgreSQL's clients that load a dump: psql, pg_restore and psycopg, and errors of the tools."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.dump.loading import causes, messages
from pytest_pgrestore.sources.dump.loading.sql_rewrite import role_named
from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream
from pytest_pgrestore.sources.dump.reading import dump_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import psycopg

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.dump.loading.archive_input import ArchiveInput
    from pytest_pgrestore.sources.dump.loading.limits import LoadLimits
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.sources.protocol import Connection
    from pytest_pgrestore.system.process import Completed


class Clients:
    """Runs clients on one server.

    Args:
        sandbox: Where the server runs.
        connection: Connection to the server's database ``postgres``.
        timeout_seconds: Deadline of one tool.
        limits: What plain SQL may ask for.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        connection: Connection,
        timeout_seconds: float,
        limits: LoadLimits,
    ) -> None:
        self._sandbox = sandbox
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self._limits = limits
        self._can_restrict: bool | None = None

    def stream(
        self, chunks: Iterable[bytes], rewrite: Callable[[bytes], bytes], name: str
    ) -> SqlStream:
        """Return plain SQL on its way into psql, in psql's restricted mode if there is one.

        Minor releases since August 2025 have it (CVE-2025-8714).
        """
        if self._can_restrict is None:
            done = self._sandbox.programs.run("psql", "--help=commands", check=False)
            self._can_restrict = "\\restrict" in done.stdout
        key = secrets.token_hex(16) if self._can_restrict else None
        return SqlStream(chunks, rewrite, name=name, limits=self._limits, key=key)

    def psql(self, chunks: Iterable[bytes], database: str) -> Completed:
        """Run psql with the SQL `chunks` as its input, first connected to `database`."""
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
            env=self._environment("-c standard_conforming_strings=on"),
            timeout_seconds=self._timeout_seconds,
            check=False,
        )

    def pg_restore(self, archive: ArchiveInput, database: str, options: Sequence[str]) -> Completed:
        """Run pg_restore of `archive` into `database`."""
        return self._sandbox.programs.run(
            "pg_restore",
            *self._connection.arguments(),
            "--dbname",
            database,
            *options,
            *archive.arguments,
            stdin=archive.stdin,
            env=self._environment(),
            timeout_seconds=self._timeout_seconds,
            check=False,
        )

    def judge(self, done: Completed, what: str, dump: DumpFile | None = None) -> None:
        """Save a tool's errors without row values, and raise the error they stand for.

        Args:
            done: The tool's run.
            what: The tool and its file, for messages.
            dump: The plain dump that psql read; None for other input.

        Raises:
            PgRestoreError: The tool reported an error or failed.
        """
        found = messages.complaints(done.stderr)
        if not found:
            if done.status == 0:
                return
            raise HarnessError(
                f"{what}: ended with status {done.status} and no word", hint="read the server log."
            )
        with (self._sandbox.logs / "load.log").open("a", encoding="utf-8") as stream:
            stream.writelines(f"{what}: {entry}\n" for entry in found)
        error = causes.blame(what, found)
        roles = causes.missing_roles(found)
        if roles and isinstance(error, BackupNotRestorable):
            every = self._all_missing(dump) if dump is not None else []
            raise causes.roles_missing(what, every or roles)
        raise error

    def _all_missing(self, dump: DumpFile) -> list[str]:
        """Return every missing role that plain SQL names; psql reported only the first one."""
        named: set[str] = set()

        def note(statement: bytes) -> bytes:
            role = role_named(statement)
            if role is not None:
                named.add(role)
            return statement

        for _ in SqlStream(dump_file.chunks(dump), note, limits=self._limits):
            pass
        with self.session() as session:
            rows = session.execute("select rolname from pg_roles").fetchall()
        return sorted(named - {row[0] for row in rows})

    def _environment(self, options: str = "") -> dict[str, str]:
        # The tool reports every error. The server's log, which is saved, would also quote rows.
        return {"PGOPTIONS": f"{self._connection.options} -c log_min_messages=log {options}"}

    def session(self) -> psycopg.Connection[Any]:
        """Return a connection of psycopg, in autocommit mode."""
        return self._connection.ask()
