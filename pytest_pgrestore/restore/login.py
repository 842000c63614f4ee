"""The first login to the copy: is it our server, is it open, which superuser, which database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.restore.instance import ConnectionInfo
from pytest_pgrestore.restore.quarantine.settings import connection_options, question_options
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.sandboxes.protocol import Sandbox

_MAINTENANCE_DATABASES = ("postgres", "template1")
"""Databases initdb makes, in the order they are tried; production may have dropped the first."""

_LOGIN_SECONDS = 60.0
"""Longest wait for one login. A server that is stopped lets us connect, and answers nothing."""

_DATABASES = (
    "select datname from pg_catalog.pg_database where not datistemplate and datallowconn"
    " order by datname"
)
_IDENTITY = (
    "select pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('cluster_name'),"
    " (select system_identifier::pg_catalog.text from pg_catalog.pg_control_system())"
)


class LockedOutError(Exception):
    """The role is missing or may not log in: another superuser has to be found."""


class LoginNotReadyError(Exception):
    """The server accepts no login yet; the text is the message of psql or libpq."""


def wait_and_log_in(attempt: Attempt, sandbox: Sandbox, user: str) -> ConnectionInfo:
    """Wait until the server answers a query after recovery; return how to connect to it.

    Raises:
        LockedOutError: `user` does not exist or may not log in.
        BackupNotRestorable: The server ended, or lacks the database that is set.
        HarnessError: Another server answered, or the deadline passed.
    """
    with _first_connection(sandbox, user, attempt.settings.timeout_seconds) as connection:
        system_identifier = _system_identifier(connection, attempt.nonce, sandbox)
        database = _database(connection, attempt.settings.database)
    return ConnectionInfo(
        drill=attempt.drill.key,
        socket_directory=str(sandbox.socket_directory),
        port=sandbox.port,
        client_address=sandbox.client_address,
        user=user,
        database=database,
        nonce=attempt.nonce,
        system_identifier=system_identifier,
        options=login_options(sandbox),
        question_options=question_options(sandbox.programs.major),
        timeout_seconds=attempt.settings.timeout_seconds,
        server=sandbox.server_process(),
        log=str(sandbox.server_log()),
    )


def allow_login(sandbox: Sandbox, user: str) -> None:
    """Allow `user` to log in, setting a password if one is needed.

    Raises:
        LoginNotReadyError: It was not possible; the text is psql's message.
    """
    message = sandbox.allow_login(user, login_options(sandbox))
    if message:
        raise LoginNotReadyError(message)


def login_options(sandbox: Sandbox) -> str:
    """Return the startup options of connections of our own, which may write."""
    return connection_options(sandbox.programs.major, read_only=False)


def _first_connection(
    sandbox: Sandbox, user: str, timeout_seconds: float
) -> psycopg.Connection[Any]:
    """Return the first connection that the server accepts.

    An answer counts, not pg_isready: that reports a server in recovery, or one that refuses every
    login, as accepting connections.
    """
    found: list[psycopg.Connection[Any]] = []

    def answered() -> bool:
        _require_running(sandbox)
        try:
            found.append(_connect(sandbox, user, timeout_seconds))
        except LoginNotReadyError as exc:
            _refuse_locked_out(str(exc), user)
            return False
        return True

    wait_until(answered, what="the first answer of the server", timeout_seconds=timeout_seconds)
    return found[0]


def _require_running(sandbox: Sandbox) -> None:
    if sandbox.exit_status() is None:
        return
    why_ended = sandbox.why_ended()
    if why_ended is not None:
        raise HarnessError(
            why_ended, hint="read the saved logs; container.json has the daemon's own words."
        )
    raise BackupNotRestorable(
        "the server ended just after it opened", hint="read the saved server log."
    )


def _connect(sandbox: Sandbox, user: str, timeout_seconds: float) -> psycopg.Connection[Any]:
    """Return a connection to the first maintenance database that accepts one.

    Raises:
        LoginNotReadyError: The server is not open, or refuses the role.
        BackupNotRestorable: No maintenance database accepts a connection.
        HarnessError: The locale of the database is not installed here, or another process listens
            at the socket.
    """
    import psycopg

    from pytest_pgrestore.system.bounded_connection import ask, client_conninfo

    allow_login(sandbox, user)
    for database in _MAINTENANCE_DATABASES:
        wanted = client_conninfo(
            sandbox.client_address,
            user=user,
            dbname=database,
            options=question_options(sandbox.programs.major),
        )
        try:
            return ask(
                wanted,
                timeout_seconds=timeout_seconds,
                server=sandbox.server_process(),
                login_seconds=_LOGIN_SECONDS,
            )
        except psycopg.OperationalError as exc:
            message = str(exc)
            if _is_database_closed(message):
                continue
            if "locale" in message and "incompatible" in message:
                raise HarnessError(
                    f"the copy's database locale is not known here: {message.splitlines()[0]}",
                    hint="install production's locales on this machine.",
                ) from exc
            raise LoginNotReadyError(message) from exc
    raise BackupNotRestorable(
        "neither postgres nor template1 takes a connection",
        hint="set database = ... to one that does.",
    )


def _is_database_closed(message: str) -> bool:
    """Tell whether the database, and not the server or the role, refuses the connection.

    Source of the messages: CheckMyDatabase and InitPostgres in PostgreSQL's
    src/backend/utils/init/postinit.c.
    """
    if 'database "' not in message:
        return False
    return "does not exist" in message or "not currently accepting" in message


def _refuse_locked_out(message: str, user: str) -> None:
    """Raise LockedOutError where the message is about the role.

    Source of the messages: InitializeSessionUserId in PostgreSQL's
    src/backend/utils/init/miscinit.c.
    """
    missing = "role" in message and "does not exist" in message
    if missing or "not permitted to log in" in message:
        raise LockedOutError(user)


def _system_identifier(connection: psycopg.Connection[Any], nonce: str, sandbox: Sandbox) -> str:
    """Return the system identifier of the server, once it is known to be ours and open."""
    row = connection.execute(_IDENTITY).fetchone()
    in_recovery, name, system_identifier = row or (True, "", "")
    if name != nonce:
        raise HarnessError(
            f"another server answered on {sandbox.socket_directory}",
            hint="this must not happen: please report it with the saved logs.",
        )
    if in_recovery:
        raise BackupNotRestorable(
            "the server is open but still in recovery",
            hint="read the saved server log: recovery has paused.",
        )
    return str(system_identifier)


def _database(connection: psycopg.Connection[Any], wanted: str | None) -> str:
    """Return the database assertions run in: `wanted`, or the only one of the users', or postgres.

    Raises:
        BackupNotRestorable: `wanted` is not in the copy.
    """
    names = [str(row[0]) for row in connection.execute(_DATABASES)]
    if wanted is not None:
        if wanted in names:
            return wanted
        raise BackupNotRestorable(
            f"database {wanted!r} is not in the backup; it holds {', '.join(names) or 'none'}",
            hint="correct `database` in the source, or back up the cluster that has it.",
        )
    own = [name for name in names if name != "postgres"]
    if len(own) == 1:
        return own[0]
    return "postgres" if "postgres" in names else names[0]
