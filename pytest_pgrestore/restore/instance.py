"""The restored, running server, as users and checks use it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psycopg
    from sqlalchemy import Engine

    from pytest_pgrestore.model.evidence import (
        BackupFacts,
        DataLossFigures,
        DrillRecord,
        ObjectiveResult,
        Phase,
        RecoveredTo,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInfo:
    """How to reach an instance from any process of the run. Plain data: it crosses process borders.

    Attributes:
        drill: Key of the drill.
        socket_directory: Private directory of the server's socket.
        port: Number in the socket's name.
        client_address: Host and port for libpq, and `passfile` if a password is needed.
        user: A superuser of the copy.
        database: Where the fixtures connect by default.
        nonce: cluster_name of the server, so that no other one is mistaken for it.
        system_identifier: Of the cluster.
        options: Startup options that repeat the quarantine.
        question_options: The same, with those of our own questions.
        timeout_seconds: Longest wait for one answer.
        server: Process id of the server, as this machine counts; None where it is not known.
        log: Path of the server's log.
    """

    drill: str
    socket_directory: str
    port: int
    client_address: dict[str, str]
    user: str
    database: str
    nonce: str
    system_identifier: str
    options: str
    question_options: str
    timeout_seconds: float
    server: int | None
    log: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ConnectionInfo:
        """Return what `to_dict` was made from."""
        return cls(**data)

    def conninfo(self, database: str | None = None, *, read_only: bool = False) -> str:
        """Return a connection string. It holds no password, at most the path of a passfile."""
        from pytest_pgrestore.system.bounded_connection import client_conninfo

        return client_conninfo(
            self.client_address,
            user=self.user,
            dbname=database or self.database,
            options=self.options + (" -c default_transaction_read_only=on" if read_only else ""),
            application_name="pytest-pgrestore",
        )

    def open(
        self, database: str | None = None, *, read_only: bool = False
    ) -> psycopg.Connection[Any]:
        """Open a connection for statements of the user's, with the search path of the copy."""
        from pytest_pgrestore.system.bounded_connection import connect

        return connect(
            self.conninfo(database, read_only=read_only), timeout_seconds=self.timeout_seconds
        )

    def ask(
        self, database: str | None = None, *, timeout_seconds: float | None = None
    ) -> psycopg.Connection[Any]:
        """Open a connection for questions of our own, in autocommit mode.

        Args:
            database: None is the source's default database.
            timeout_seconds: Longest wait for one answer; None is the drill's.

        Raises:
            HarnessError: Another process than the server listens at its socket.
        """
        from pytest_pgrestore.system.bounded_connection import ask

        return ask(
            self.conninfo(database),
            timeout_seconds=timeout_seconds or self.timeout_seconds,
            server=self.server,
            options=self.question_options,
        )


_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
    "options": "PGOPTIONS",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "gssencmode": "PGGSSENCMODE",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "application_name": "PGAPPNAME",
}
"""Words of a connection string, and libpq's variables for them."""


class RestoredInstance:
    """A restored server. It runs until the run, or the drill's last test, ends.

    Attributes:
        access: How to connect.
        record: The drill's evidence.
        is_private: Whether this is a private copy for one test, which may be written.
        noted: Called with each database that a test may connect to; `str` notes nothing.
    """

    def __init__(
        self,
        access: ConnectionInfo,
        record: DrillRecord,
        *,
        is_private: bool = False,
        noted: Callable[[str], object] = str,
    ) -> None:
        self.access = access
        self.record = record
        self.is_private = is_private
        self.noted = noted

    def connect(
        self, database: str | None = None, *, read_only: bool | None = None
    ) -> psycopg.Connection[Any]:
        """Open a connection; the caller closes it.

        Args:
            database: None is the source's default database.
            read_only: Refuse writes. None refuses them unless the copy is a private one. A writable
                connection to a copy that is not changes it for every later test.
        """
        self.noted(database or self.access.database)
        read_only = not self.is_private if read_only is None else read_only
        connection = self.access.open(database, read_only=read_only)
        connection.read_only = True if read_only else None
        return connection

    @property
    def conninfo(self) -> str:
        """Connection string for other drivers. No password is in it, at most a passfile's path.

        It is read-only, unless this is a private copy.
        """
        self.noted(self.access.database)
        return self.access.conninfo(read_only=not self.is_private)

    @property
    def url(self) -> str:
        """The same as a URL for libpq's drivers: ``postgresql:///shop?host=...``.

        Source: PostgreSQL docs, "Connection URIs".
        """
        from urllib.parse import quote, urlencode

        words = dict(self._words())
        database = quote(str(words.pop("dbname")), safe="")
        return f"postgresql:///{database}?{urlencode(words, quote_via=quote)}"

    @property
    def env(self) -> dict[str, str]:
        """The same as environment variables of libpq: PGHOST, PGPORT and the others.

        Source: PostgreSQL docs, "Environment Variables".
        """
        return {_VARIABLES[name]: str(value) for name, value in self._words().items()}

    def engine(self, **options: Any) -> Engine:
        """Return an SQLAlchemy engine for it; SQLAlchemy and psycopg must be installed.

        Args:
            options: Of ``sqlalchemy.create_engine``. Connections are not pooled by default: a copy
                ends before its pool would.
        """
        import psycopg
        from sqlalchemy import NullPool, create_engine

        conninfo = self.conninfo
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(conninfo),
            **{"poolclass": NullPool, **options},
        )

    def _words(self) -> dict[str, Any]:
        from psycopg.conninfo import conninfo_to_dict

        return conninfo_to_dict(self.conninfo)

    @property
    def backup(self) -> BackupFacts | None:
        """What was restored."""
        return self.record.backup

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The timed steps of the restore."""
        return self.record.phases

    @property
    def recovered_to(self) -> RecoveredTo | None:
        """Where recovery ended; None for a dump."""
        return self.record.recovered_to

    @property
    def data_loss(self) -> DataLossFigures:
        """The figures behind the RPO verdict, in seconds."""
        return self.record.data_loss

    @property
    def rto(self) -> ObjectiveResult:
        """Restore time against the objective."""
        return self.record.rto

    @property
    def rpo(self) -> ObjectiveResult:
        """Data loss against the objective."""
        return self.record.rpo

    def __repr__(self) -> str:
        """Return the drill's key alone: connection details stay out of reports."""
        return f"RestoredInstance({self.access.drill!r})"
