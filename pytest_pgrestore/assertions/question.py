"""Asks the SQL of an assertion, as the role and with the settings that its author names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.answer import Answer
from pytest_pgrestore.model.errors import AssertionFailed, ConfigError, HarnessError
from pytest_pgrestore.model.sqlstate import is_own_mistake
from pytest_pgrestore.privacy.exceptions import READ_ONLY, message_without_values
from pytest_pgrestore.settings.suggest import nearest
from pytest_pgrestore.system.spelling import spell_for_us

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    import psycopg
    from psycopg.sql import Composed

_CANCELED = "57014"
_SYNTAX = "42601"
_NO_SUCH_SETTING = "42704"
_NO_SUCH_ROLE = ("22023", "42704")
"""SQLSTATE query_canceled, syntax_error, undefined_object, and invalid_parameter_value: PostgreSQL
docs, appendix "Error Codes".
"""

_UNKNOWN_SETTING = "unrecognized configuration parameter"
"""The server's words (lc_messages = C): a policy of row security reads what nobody set."""

_ROLES = "select rolname from pg_catalog.pg_roles order by 1 limit 1000"

ANSWER_BYTES = 512 * 1024 * 1024
"""What the answer to an assertion may take of memory: some millions of rows."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who asks, and how long.

    Attributes:
        role: Its row security and grants hold; None is a superuser, who sees everything.
        settings: Of the session, such as ``app.tenant``.
        timeout: Longest time of a statement; None is no limit but the drill's.
    """

    role: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    timeout: timedelta | None = None


def begin(connection: psycopg.Connection[Any], session: Session) -> None:
    """Make a connection's session that of `session`. The role comes last: it may set less.

    Raises:
        ConfigError: There is no such setting, or it does not take the value.
        psycopg.Error: The role is not in the copy, for example.
    """
    import psycopg

    from pytest_pgrestore.system.bounded_connection import BoundedConnection

    if isinstance(connection, BoundedConnection):
        connection.answer_bytes = ANSWER_BYTES
        connection.answer_hint = "return a count, or fewer rows."
    spell_for_us(connection)
    if session.timeout is not None:
        milliseconds = max(1, round(session.timeout.total_seconds() * 1000))
        _set(connection, "statement_timeout", str(milliseconds))
    for name, value in session.settings.items():
        try:
            _set(connection, name, value)
        except psycopg.Error as exc:
            raise ConfigError(
                f"set: {name} cannot be {value!r}: {message_without_values(exc)}",
                hint="correct the setting; one of an application has a dot in its name: app.tenant."
                if exc.sqlstate == _NO_SUCH_SETTING
                else "correct the value.",
            ) from None
    if session.role is not None:
        _set_role(connection, session.role)
    connection.commit()  # a rollback would take all of it back


def ask(
    connection: psycopg.Connection[Any],
    text: str | Composed,
    values: Mapping[str, Any],
    timeout: timedelta | None = None,
) -> Answer:
    """Return the answer to one statement.

    Args:
        connection: See `begin`.
        text: For psycopg; parameters are ``%(name)s``.
        values: Of the parameters.
        timeout: For the error, if the server canceled the statement.

    Raises:
        ConfigError: The statement has a mistake of its own, or returns no rows.
        HarnessError: It took too long.
        psycopg.Error: Something else, such as a missing table.
    """
    import psycopg

    query: Any = text.encode() if isinstance(text, str) else text
    try:
        # The server refuses to prepare two statements; otherwise the first result would be read.
        cursor = connection.execute(query, values, prepare=True)
        if cursor.description is None:
            raise ConfigError(
                "the statement returns no rows",
                hint="write exactly one statement that returns rows: select, with, values.",
            )
        return Answer(tuple(column.name for column in cursor.description), cursor.fetchall())
    except psycopg.Error as exc:
        if timeout is not None and exc.sqlstate == _CANCELED:
            raise HarnessError(
                f"the statement did not end within {timeout.total_seconds():g} s",
                hint="raise `timeout`; a restored dump has no statistics: `analyze` on a clone.",
            ) from None
        if exc.sqlstate == READ_ONLY:
            raise ConfigError(
                f"the query writes (SQLSTATE {READ_ONLY}), and the connection is read-only",
                hint="mend the SQL, or set `writable = true`: it runs on a private copy then.",
            ) from None
        said = exc.diag
        where = (said.statement_position, said.context)
        if (said.message_primary or "").startswith(_UNKNOWN_SETTING):
            raise ConfigError(
                f"the query reads a setting that is not set: {message_without_values(exc)}",
                hint='add it to the assertion, such as set = { "app.tenant" = "2" }.',
            ) from None
        if is_own_mistake(exc.sqlstate, said.message_primary, *where):
            one = exc.sqlstate == _SYNTAX
            raise ConfigError(
                f"the query has a mistake: {message_without_values(exc)}",
                hint=f"mend the SQL{': exactly one statement that returns rows' * one}.",
            ) from None
        raise


def _set_role(connection: psycopg.Connection[Any], role: str) -> None:
    import psycopg
    from psycopg import sql

    try:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
    except psycopg.Error as exc:
        if exc.sqlstate not in _NO_SUCH_ROLE:
            raise
        connection.rollback()
        rows = connection.execute(_ROLES).fetchall()
        near = nearest(role, [str(row[0]) for row in rows])
        more = f"; {near} is" if near else "; a dump has roles only with `globals`"
        raise AssertionFailed(f"as_role: role {role!r} is not in the restored copy{more}") from None


def _set(connection: psycopg.Connection[Any], name: str, value: str) -> None:
    connection.execute("select pg_catalog.set_config(%s, %s, false)", (name, value))
