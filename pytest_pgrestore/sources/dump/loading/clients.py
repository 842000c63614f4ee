"""PostgreSQL's clients that load a dump: psql, pg_restore and psycopg, and errors of the tools."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.dump.loading import blame, messages, server_errors
from pytest_pgrestore.sources.dump.loading.role_names import roles_named
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
        self._logged = 0

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
        self._logged = server_errors.size_of(self._sandbox.server_log())
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
        self._logged = server_errors.size_of(self._sandbox.server_log())
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

    def judge(
        self,
        done: Completed,
        what: str,
        situation: blame.Situation,
        dump: DumpFile | None = None,
    ) -> None:
        """Save the last tool's errors without row values, and raise the error they stand for.

        Args:
            done: The tool's run.
            what: The tool and its file, for messages.
            situation: What the user set.
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
        errors = server_errors.logged_since(self._sandbox.server_log(), self._logged)
        error = blame.blame(what, found, errors, situation)
        roles = blame.missing_roles([messages.Complaint(error.problem)])
        if roles and (situation.whole or isinstance(error, HarnessError)):
            every = self._all_missing(dump) if dump is not None else blame.missing_roles(found)
            raise blame.roles_missing(what, every or roles, whole=situation.whole)
        raise error

    def _all_missing(self, dump: DumpFile) -> list[str]:
        """Return every missing role that plain SQL names; psql reported only the first one."""
        named: set[str] = set()

        def note(statement: bytes) -> bytes:
            named.update(roles_named(statement))
            return statement

        for _ in SqlStream(dump_file.chunks(dump), note, limits=self._limits):
            pass
        with self.session() as session:
            rows = session.execute("select rolname from pg_roles").fetchall()
        return sorted(named - {row[0] for row in rows})

    def _environment(self, options: str = "") -> dict[str, str]:
        return {"PGOPTIONS": f"{self._connection.options} {server_errors.OPTIONS} {options}"}

    def session(self, database: str | None = None) -> psycopg.Connection[Any]:
        """Return a connection of psycopg, in autocommit mode; ``postgres`` is the default."""
        return self._connection.ask(database)
