"""Logging in to the copy for the first time: is it ours, is it open, which superuser, which database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.restore.instance import ConnectionInfo
from pytest_pgrestore.restore.quarantine.settings import connection_options
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.sandboxes.protocol import Sandbox

_FALLBACK_DATABASES = ("postgres", "template1")
_DATABASES = (
    "select datname from pg_database where not datistemplate and datallowconn order by datname"
)
_IDENTITY = (
    "select pg_is_in_recovery(), current_setting('cluster_name'),"
    " (select system_identifier::text from pg_control_system())"
)


class LockedOutError(Exception):
    """The role is missing or may not log in: another superuser has to be found."""


def wait_and_log_in(attempt: Attempt, sandbox: Sandbox, user: str, nonce: str) -> ConnectionInfo:
    """Wait until the server answers a query and has left recovery; return how to reach it.

    Raises:
        LockedOutError: `user` does not exist or may not log in.
        BackupNotRestorable: The server ended, or lacks the database asked for.
        HarnessError: Another server answered, or the deadline passed.
    """
    found: list[psycopg.Connection[Any]] = []

    def answered() -> bool:
        if sandbox.exit_status() is not None:
            blameless = sandbox.why_ended()
            if blameless is not None:
                raise HarnessError(
                    blameless,
                    hint="read the saved logs; container.json has the daemon's own words.",
                )
            raise BackupNotRestorable(
                "the server ended just after it opened", hint="read the saved server log."
            )
        connection = _try(sandbox, user)
        found.extend([connection] if connection else [])
        return connection is not None

    wait_until(
        answered,
        what="the first answer of the server",
        timeout_seconds=attempt.settings.timeout_seconds,
    )
    with found[0] as connection:
        in_recovery, name, system_identifier = connection.execute(_IDENTITY).fetchone() or (
            True,
            "",
            "",
        )
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
        database = _database(attempt, connection)
    return ConnectionInfo(
        drill=attempt.drill.key,
        socket_directory=str(sandbox.socket_directory),
        port=sandbox.port,
        client_address=sandbox.client_address,
        user=user,
        database=database,
        nonce=nonce,
        system_identifier=system_identifier,
        options=_options(sandbox),
        log=str(sandbox.server_log()),
    )


def _try(sandbox: Sandbox, user: str) -> psycopg.Connection[Any] | None:
    """Return a connection to the first maintenance database that takes one; None while the server is not open."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    complaint = sandbox.allow_login(user, _options(sandbox))
    if complaint:
        _refuse_locked_out(complaint, user)
        return None
    for database in _FALLBACK_DATABASES:
        wanted = make_conninfo(
            **sandbox.client_address, user=user, dbname=database, options=_options(sandbox)
        )
        try:
            return psycopg.connect(wanted, autocommit=True)
        except psycopg.OperationalError as exc:
            message = str(exc)
            _refuse_locked_out(message, user)
            if 'database "' in message and (
                "does not exist" in message or "not currently accepting" in message
            ):
                continue
            if "locale" in message and "incompatible" in message:
                raise HarnessError(
                    f"the copy's database locale is not known here: {message.splitlines()[0]}",
                    hint="install production's locales on this machine.",
                ) from exc
            return None
    raise BackupNotRestorable(
        "neither postgres nor template1 takes a connection",
        hint="set database = ... to one that does.",
    )


def _refuse_locked_out(message: str, user: str) -> None:
    if ("role" in message and "does not exist" in message) or "not permitted to log in" in message:
        raise LockedOutError(user)


def _database(attempt: Attempt, connection: psycopg.Connection[Any]) -> str:
    """Return the database assertions run in.

    Raises:
        BackupNotRestorable: The configured one is not in the copy.
    """
    names = [row[0] for row in connection.execute(_DATABASES)]
    wanted = attempt.settings.database
    if wanted is not None and wanted not in names:
        raise BackupNotRestorable(
            f"database {wanted!r} is not in the backup; it holds {', '.join(names) or 'none'}",
            hint="correct `database` in the source, or back up the cluster that has it.",
        )
    if wanted is not None:
        return wanted
    own = [name for name in names if name != "postgres"]
    if len(own) == 1:
        return str(own[0])
    return "postgres" if "postgres" in names else str(names[0])


def _options(sandbox: Sandbox) -> str:
    return connection_options(sandbox.programs.major, read_only=False)
