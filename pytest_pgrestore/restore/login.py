"""The first login to the copy: is it our server, is it open, which superuser, which database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.damage import CAUSE, is_damage, words_of_refusal
from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.restore.databases import (
    choose_database,
    closed_databases,
    read_databases,
)
from pytest_pgrestore.restore.instance import ConnectionInfo
from pytest_pgrestore.restore.quarantine.settings import connection_options, question_options
from pytest_pgrestore.restore.server.log import ServerLog
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.sandboxes.protocol import Sandbox

_MAINTENANCE_DATABASES = ("postgres", "template1")
"""Databases initdb makes, in the order they are tried; production may have dropped the first."""

_LOGIN_SECONDS = 60.0
"""Longest wait for one login. A server that is stopped lets us connect, and answers nothing."""

_PASSES = re.compile(
    r"the database system is|too many (?:clients|connections)|connection slots"
    r"|terminating connection|authentication|pg_hba\.conf|FATAL: +role "
)
"""What a server says of its own state, or of the role, in postmaster.c, proc.c and auth.c."""

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
        BackupNotRestorable: The server ended, or lacks the database that is set, or a file of it.
        HarnessError: Another server answered, or the deadline passed.
    """
    settings = attempt.settings
    ways_in = _ways_in(settings.database)
    with _first_connection(sandbox, user, settings.timeout_seconds, ways_in) as connection:
        system_identifier = _system_identifier(connection, attempt.nonce, sandbox)
        databases = read_databases(connection)
        database = choose_database(databases, attempt.settings.database)
    attempt.not_checked += closed_databases(databases)
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
    message = sandbox.allow_login(user, question_options(sandbox.programs.major))
    if message:
        raise LoginNotReadyError(message)


def login_options(sandbox: Sandbox) -> str:
    """Return the startup options of connections of our own, which may write."""
    return connection_options(sandbox.programs.major, read_only=False)


def _ways_in(wanted: str | None) -> tuple[str, ...]:
    """Return the databases to try. Production may have closed those that initdb makes."""
    own = (wanted,) if wanted is not None and wanted not in _MAINTENANCE_DATABASES else ()
    return (*_MAINTENANCE_DATABASES, *own)


def _first_connection(
    sandbox: Sandbox, user: str, timeout_seconds: float, ways_in: Sequence[str]
) -> psycopg.Connection[Any]:
    """Return the first connection that the server accepts.

    An answer counts, not pg_isready: that reports a server in recovery, or one that refuses every
    login, as accepting connections.
    """
    found: list[psycopg.Connection[Any]] = []

    def answered() -> bool:
        _require_running(sandbox)
        try:
            found.append(_connect(sandbox, user, timeout_seconds, ways_in))
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
    log = ServerLog(sandbox.server_log())
    log.refresh()
    said = log.fatal()
    raise BackupNotRestorable(
        "the server ended just after it opened" + (f": {said}" if said else ""),
        hint="read the saved server log; take a new backup if the copy is damaged.",
    )


def _connect(
    sandbox: Sandbox, user: str, timeout_seconds: float, ways_in: Sequence[str]
) -> psycopg.Connection[Any]:
    """Return a connection to the first of `ways_in` that accepts one.

    Raises:
        LoginNotReadyError: The server is not open, or refuses the role.
        BackupNotRestorable: A database lacks files of its own.
        HarnessError: No database of `ways_in` accepts a connection, its locale is not installed
            here, or another process listens at the socket.
    """
    import psycopg

    from pytest_pgrestore.system.bounded_connection import ask, client_conninfo

    allow_login(sandbox, user)
    for database in ways_in:
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
            if is_damage(exc.sqlstate, message):
                raise BackupNotRestorable(
                    f"{CAUSE}: {words_of_refusal(message)}",
                    hint="take a new backup, and find out where this one lost the file.",
                ) from exc
            if _is_database_closed(message):
                continue
            if "locale" in message and "incompatible" in message:
                raise HarnessError(
                    f"the copy's database locale is not known here: {message.splitlines()[0]}",
                    hint="install production's locales on this machine.",
                ) from exc
            if _is_final(message):
                raise HarnessError(
                    f"the restored server refuses database {database}: {words_of_refusal(message)}",
                    hint="read the saved server log; see whether production takes this login.",
                ) from exc
            raise LoginNotReadyError(message) from exc
    raise HarnessError(
        f"no connection is taken by {', '.join(ways_in)} (not there, or allow_connections = false)",
        hint="set `database` in the source to a database of production that takes connections.",
    )


def _is_database_closed(message: str) -> bool:
    """Tell whether the database, and not the server or the role, refuses the connection.

    Source of the messages: CheckMyDatabase and InitPostgres in PostgreSQL's
    src/backend/utils/init/postinit.c.
    """
    if 'database "' not in message:
        return False
    return (
        "does not exist" in message
        or "not currently accepting" in message
        or "cannot connect to invalid database" in message
    )


def _is_final(message: str) -> bool:
    """Tell whether waiting cures nothing: the server is open, and refuses this login for itself."""
    return "FATAL:" in message and _PASSES.search(message) is None


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
