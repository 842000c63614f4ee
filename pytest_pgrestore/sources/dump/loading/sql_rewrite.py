"""The changes to a dump's statements that let it load into an empty cluster in a sandbox.

Whole statements between psql's statement ends are changed, and in them tokens that are no strings:
never rows, values, names or bodies. Changed are: paths of tablespaces, locales that this machine
does not have, what a new server has already, what the user wants left out, the grantors of
memberships, and the DROP statements of ``--clean``. Nothing else is.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.loading.cleaning import if_exists, is_dummy_view
from pytest_pgrestore.sources.dump.loading.databases import DatabaseStatements
from pytest_pgrestore.sources.dump.loading.role_names import roles_named
from pytest_pgrestore.sources.dump.loading.sql_tokens import (
    LONGEST_BYTES,
    at,
    begins,
    tokens_of,
    without,
)
from pytest_pgrestore.sources.dump.loading.tablespaces import make_place
from pytest_pgrestore.sources.dump.loading.tolerated import Tolerated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import psycopg

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.dump.loading.sql_tokens import Token

_REWRITTEN = re.compile(
    rb"(?:CREATE|DROP|ALTER|GRANT|REVOKE|COMMENT\s++ON\s++EXTENSION|SET\s++SESSION\s++AUTHORIZATION"
    rb"|SELECT\s++pg_catalog\.lo_unlink)\b",
    re.IGNORECASE,
)
_LOOKED_AT = re.compile(
    rb"CREATE\s++(?:OR\s++REPLACE\s++)?+(?:SCHEMA|EXTENSION|DATABASE|TABLESPACE|VIEW|TRUSTED"
    rb"|PROCEDURAL|LANGUAGE|USER|POLICY)\b|(?!CREATE\b)",
    re.IGNORECASE,
)
"""Of statements that create, those that may need a change: the others are not cut into tokens."""


class Rewriter:
    """Rewrites statements. It is called with each one, in order.

    Args:
        sandbox: The directory of its tablespaces receives those of the dump.
        session: Connection to the running server, to query which locales and roles it has.
        places: Numbers for directories of tablespaces. Never names that are found: a program that
            the dump started may make some.
        stand_ins: Whether every role that the SQL names is created, without any rights.
        skipped: Extensions that are left out.
        empty: Whether nothing was loaded before: then there is nothing to drop.

    Attributes:
        tolerated: What was left out because a new server has it, or because the user wants so.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        session: psycopg.Connection[Any],
        places: Iterator[int],
        *,
        stand_ins: bool = False,
        skipped: frozenset[str] = frozenset(),
        empty: bool = True,
    ) -> None:
        self._sandbox = sandbox
        self._session = session
        self._places = places
        self._databases = DatabaseStatements(session)
        self._stand_ins = StandIns(session) if stand_ins else None
        self._skipped = skipped
        self._empty = empty
        self._created = False
        self._public_is_dropped = False
        self.tolerated = Tolerated()

    @property
    def words(self) -> list[str]:
        """Changes that the report must name."""
        return self._databases.words

    def __call__(self, sql: bytes) -> bytes:
        """Return the SQL for psql. It has as many lines as `sql`."""
        if _REWRITTEN.match(sql) is None:
            return sql
        if len(sql) > LONGEST_BYTES or _LOOKED_AT.match(sql) is None:
            self._created = self._created or sql[:6].upper() == b"CREATE"
            return sql
        found = tokens_of(sql)
        if not self._created and (changed := self._cleaning(sql, found)) is not None:
            return changed
        self._created = self._created or begins(found, "CREATE")
        if self._stand_ins is not None:
            if begins(found, "SET", "SESSION", "AUTHORIZATION"):
                self.tolerated.note_owner_switch()
                return without(sql)
            self._stand_ins.make(sql)
        return self._changed(sql, found)

    def _cleaning(self, sql: bytes, found: list[Token]) -> bytes | None:
        """Return a statement of ``--clean`` without harm; None for another statement.

        In a new cluster there is nothing to drop, but the schema public.
        """
        if begins(found, "DROP", "SCHEMA"):
            conditional = begins(found, "DROP", "SCHEMA", "IF", "EXISTS")
            if at(found, 4 if conditional else 2).name == "public":
                self._public_is_dropped = True
            self.tolerated.note_drop()
            if conditional:
                return sql
            return sql[: found[1].end] + b" IF EXISTS" + sql[found[1].end :]
        drops = begins(found, "DROP") or (
            begins(found, "ALTER") and any(token.keyword == "DROP" for token in found)
        )
        drops = drops or begins(found, "SELECT", "PG_CATALOG")  # lo_unlink, see _REWRITTEN
        if drops and not self._empty:
            return if_exists(sql, found)
        if drops or (self.tolerated.drops and is_dummy_view(found)):
            self.tolerated.note_drop()
            return without(sql)
        return None

    def _changed(self, sql: bytes, found: list[Token]) -> bytes:
        if begins(found, "CREATE", "SCHEMA") and not self._public_is_dropped:
            return self._known_schema(sql, found)
        if begins(found, "CREATE", "TABLESPACE"):
            return self._moved(sql, found)
        if begins(found, "CREATE", "DATABASE") or begins(found, "DROP", "DATABASE"):
            return self._databases.changed(sql, found)
        if begins(found, "GRANT"):
            return _without_grantor(sql, found)
        if begins(found, "SET"):
            return sql
        return self._extension(sql, found)

    def _known_schema(self, sql: bytes, found: list[Token]) -> bytes:
        """Return CREATE SCHEMA; that of public fails no more if it is there."""
        if at(found, 2).name != "public" or at(found, 3).text not in {b";", b""}:
            return sql
        self.tolerated.note("CREATE SCHEMA public", "a new database has that schema")
        return sql[: found[1].end] + b" IF NOT EXISTS" + sql[found[1].end :]

    def _extension(self, sql: bytes, found: list[Token]) -> bytes:
        """Return a statement about an extension or language."""
        words = [token.keyword for token in found[:7]]
        if "LANGUAGE" in words and words[0] == "CREATE":
            if at(found, words.index("LANGUAGE") + 1).name != "plpgsql":
                return sql
            self.tolerated.note("CREATE LANGUAGE plpgsql", "a new database has that language")
            return without(sql)
        if "EXTENSION" not in words[1:3]:
            return sql
        place = words.index("EXTENSION") + 1
        exists = words[place : place + 3] == ["IF", "NOT", "EXISTS"]
        name = at(found, place + 3 if exists else place).name
        if name in self._skipped:
            self.tolerated.note_skipped(name)
            return without(sql)
        if name == "plpgsql" and words[0] == "CREATE" and not exists:
            self.tolerated.note("CREATE EXTENSION plpgsql", "a new database has that extension")
            end = found[place - 1].end
            return sql[:end] + b" IF NOT EXISTS" + sql[end:]
        return sql

    def _moved(self, sql: bytes, found: list[Token]) -> bytes:
        """Return CREATE TABLESPACE with a directory inside the sandbox."""
        for word, place in itertools.pairwise(found):
            if word.keyword == "LOCATION" and place.kind == "string":
                path = make_place(self._sandbox, next(self._places))
                quoted = b"'" + str(path).replace("'", "''").encode() + b"'"
                return sql[: place.start] + quoted + sql[place.end :]
        return sql


def _without_grantor(sql: bytes, found: list[Token]) -> bytes:
    """Return GRANT without GRANTED BY.

    Since PostgreSQL 16 a grantor needs ADMIN OPTION (docs, GRANT). Production's bootstrap superuser
    has it there; the sandbox's bootstrap superuser, who is the default grantor, has it here.
    """
    if [token.keyword for token in found[-4:-2]] != ["GRANTED", "BY"]:
        return sql
    return without(sql, found[-5].end, found[-2].end)


class StandIns:
    """Creates roles without any rights, for names that nothing else creates."""

    def __init__(self, session: psycopg.Connection[Any]) -> None:
        self._session = session
        self._made: set[str] = set()

    def make(self, sql: bytes) -> None:
        """Create the roles that a statement names."""
        from psycopg import sql as compose

        for role in roles_named(sql):
            if role in self._made:
                continue
            self._made.add(role)
            query = "select 1 from pg_roles where rolname = %s"
            if self._session.execute(query, [role]).fetchone() is None:
                self._session.execute(
                    compose.SQL("create role {} nologin").format(compose.Identifier(role))
                )
