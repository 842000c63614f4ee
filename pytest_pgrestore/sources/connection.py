"""How the clients that load a dump connect to its server. Imports values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import psycopg


@dataclass(frozen=True, slots=True)
class Connection:
    """How a tool or psycopg connects to a running server: through a socket, without a password.

    Attributes:
        socket_directory: Value of `host`.
        port: Value of `port`.
        user: A superuser.
        database: The database to connect to.
        options: Startup options, which override ALTER ROLE/DATABASE ... SET.
        client_address: Host and port for psycopg if this process cannot use the socket.
        question_options: Startup options of our own questions; the same if empty.
        timeout_seconds: Longest wait for one answer.
        server: Process id of the server; None where it is not known.
    """

    socket_directory: Path
    port: int
    user: str
    database: str
    options: str = ""
    client_address: Mapping[str, str] | None = None
    question_options: str = ""
    timeout_seconds: float = 3600.0
    server: int | None = None

    def conninfo(self, database: str | None = None) -> str:
        """Return a connection string for ``psycopg.connect``; `database` replaces the default."""
        from pytest_pgrestore.system.bounded_connection import client_conninfo

        return client_conninfo(
            self.client_address or {"host": str(self.socket_directory), "port": str(self.port)},
            user=self.user,
            dbname=database or self.database,
            options=self.options,
        )

    def ask(self, database: str | None = None) -> psycopg.Connection[Any]:
        """Open a connection for questions of our own, in autocommit mode.

        Raises:
            HarnessError: Another process than the server listens at its socket.
        """
        from pytest_pgrestore.system.bounded_connection import ask

        return ask(
            self.conninfo(database),
            timeout_seconds=self.timeout_seconds,
            server=self.server,
            options=self.question_options or self.options,
        )

    def arguments(self) -> list[str]:
        """Return the connection arguments of psql, pg_restore and PostgreSQL's other clients."""
        return [
            "--host",
            str(self.socket_directory),
            "--port",
            str(self.port),
            "--username",
            self.user,
        ]
