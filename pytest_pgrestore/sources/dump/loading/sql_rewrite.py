"""The changes to a dump's SQL that let it load into an empty cluster in a sandbox.

Changed are: paths of tablespaces, locales that this machine does not have, databases that exist
already, the grantors of memberships, and the DROP statements of ``--clean``. Nothing else is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sources.dump.reading import toc

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.sandboxes.protocol import Sandbox

EXISTING = frozenset({"postgres", "template0", "template1"})
"""Databases that initdb creates. Source: PostgreSQL docs, initdb."""

_NAME = rb'(?P<name>"(?:[^"]|"")+"|[^\s;"]+)'
_TABLESPACE = re.compile(rb"^(CREATE TABLESPACE [^\n]* LOCATION )'(?:[^']|'')*'", re.MULTILINE)
# Since PostgreSQL 16 a grantor needs ADMIN OPTION (docs, GRANT). Production's bootstrap superuser
# has it there; the sandbox's bootstrap superuser, who is the default grantor, has it here.
_GRANTED_BY = re.compile(rb'^(GRANT [^\n]*?) GRANTED BY (?:"(?:[^"]|"")+"|[^\s;]+);', re.MULTILINE)
_DATABASE = re.compile(
    rb"^(?:CREATE|DROP) DATABASE (?:IF EXISTS )?" + _NAME + rb"(?P<options>[^\n]*);", re.MULTILINE
)
_DROP = re.compile(rb"^(?:DROP (?!SCHEMA )|ALTER [^\n;]* DROP )[^\n]*;", re.MULTILINE)
_DROP_SCHEMA = re.compile(rb"^DROP SCHEMA (?!IF EXISTS )", re.MULTILINE)
_CREATE = re.compile(rb"^CREATE ", re.MULTILINE)
_LOCALE = re.compile(r"\b(LOCALE|LC_COLLATE|LC_CTYPE) = '((?:[^']|'')*)'")
_ICU = re.compile(r" LOCALE_PROVIDER = icu\b|(?: ICU_LOCALE| ICU_RULES) = '(?:[^']|'')*'")
_ENCODING = re.compile(r"\bENCODING = '([^']*)'")
_ROLE = r'(?P<role>"(?:[^"]|"")+"|[^\s;",]+)'
_NEEDS_ROLE = re.compile(
    rf"^(?:ALTER [^\n]* OWNER TO {_ROLE};"
    rf"|GRANT [^\n]* TO {_ROLE.replace('role', 'grantee')}(?: WITH GRANT OPTION)?;"
    rf"|REVOKE [^\n]* FROM {_ROLE.replace('role', 'revokee')};"
    rf"|ALTER DEFAULT PRIVILEGES FOR ROLE {_ROLE.replace('role', 'grantor')} "
    rf"|CREATE USER MAPPING FOR {_ROLE.replace('role', 'mapped')} SERVER )",
    re.MULTILINE,
)


def roles_named(sql: bytes) -> list[str]:
    """Return the roles that statements name as owner, grantor or grantee; `sql` has no rows."""
    found = []
    for match in _NEEDS_ROLE.finditer(sql.decode("utf-8", errors="replace")):
        role = toc.unquoted(next(word for word in match.groups() if word is not None))
        if role.upper() != "PUBLIC" and not role.startswith("pg_"):
            found.append(role)
    return list(dict.fromkeys(found))


class Rewriter:
    """Rewrites pieces of SQL. It is called with each piece, in order.

    Args:
        sandbox: The directory of its tablespaces receives those of the dump.
        session: Connection to the running server, to query which locales and roles it has.
        stand_ins: Whether every role that the SQL names is created, without any rights.

    Attributes:
        words: Changes that the report must name.
    """

    def __init__(
        self, sandbox: Sandbox, session: psycopg.Connection[Any], *, stand_ins: bool = False
    ) -> None:
        self.words: list[str] = []
        self._sandbox = sandbox
        self._session = session
        self._stand_ins = stand_ins
        self._made: set[str] = set()
        self._created = False

    def __call__(self, sql: bytes) -> bytes:
        """Return the SQL for psql. It has as many lines as `sql`."""
        if not self._created:
            sql = self._without_drops(sql)
        if self._stand_ins:
            self._make_roles(sql)
        sql = _TABLESPACE.sub(self._move, sql)
        sql = _GRANTED_BY.sub(rb"\1;", sql)
        return _DATABASE.sub(self._database, sql)

    def _without_drops(self, sql: bytes) -> bytes:
        """Remove the DROP statements before the first CREATE."""
        first = _CREATE.search(sql)
        self._created = first is not None
        end = first.start() if first else len(sql)
        # The schema public exists already, and the dump creates it again.
        head = _DROP_SCHEMA.sub(b"DROP SCHEMA IF EXISTS ", sql[:end])
        return _DROP.sub(b"", head) + sql[end:]

    def _make_roles(self, sql: bytes) -> None:
        from psycopg import sql as compose

        for role in roles_named(sql):
            if role in self._made:
                continue
            self._made.add(role)
            there = self._session.execute(
                "select 1 from pg_roles where rolname = %s", [role]
            ).fetchone()
            if there is None:
                self._session.execute(
                    compose.SQL("create role {} nologin").format(compose.Identifier(role))
                )

    def _move(self, match: re.Match[bytes]) -> bytes:
        place = self._sandbox.tablespaces / f"dump-{len(list(self._sandbox.tablespaces.iterdir()))}"
        place.mkdir(mode=0o700)
        self._sandbox.adopt(place)
        return match[1] + b"'" + str(place).replace("'", "''").encode() + b"'"

    def _database(self, match: re.Match[bytes]) -> bytes:
        if toc.unquoted(match["name"].decode("utf-8", errors="replace")) in EXISTING:
            return b""
        if not match["options"]:
            return match[0]
        options = self._known_locale(match["options"].decode("utf-8", errors="replace"))
        return b"CREATE DATABASE " + match["name"] + options.encode() + b";"

    def _known_locale(self, options: str) -> str:
        """Return the options of CREATE DATABASE with a locale that works here."""
        encoding = _ENCODING.search(options)
        fallback = "C.UTF-8" if encoding is None or encoding[1] == "UTF8" else "C"
        if "LOCALE_PROVIDER = icu" in options and not self._answers(_HAS_ICU):
            options = _ICU.sub("", options)
            self._note("an ICU locale", fallback)

        def known(match: re.Match[str]) -> str:
            if self._answers(_PROBE, match[2].replace("''", "'")):
                return match[0]
            self._note(f"locale {match[2]}", fallback)
            return f"{match[1]} = '{fallback}'"

        return _LOCALE.sub(known, options)

    def _note(self, what: str, instead: str) -> None:
        sentence = (
            f"{what} is not known on this machine: the database uses {instead}, and sorts"
            " accordingly"
        )
        if sentence not in self.words:
            self.words.append(sentence)

    def _answers(self, query: str, *parameters: str) -> bool:
        import psycopg

        try:
            row = self._session.execute(query.encode(), parameters or None).fetchone()
        except psycopg.Error:
            return False
        return row is not None and bool(row[0])


_HAS_ICU = "select exists (select from pg_collation where collprovider = 'i')"
# The server checks the value with setlocale(3), as CREATE DATABASE does.
# Source: src/backend/utils/adt/pg_locale.c, check_locale.
_PROBE = "select set_config('lc_monetary', %s, false) is not null"
