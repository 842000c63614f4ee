"""The changes to a dump's SQL that let it load into an empty cluster in a sandbox.

Changed are: paths of tablespaces, locales that this machine does not have, databases that exist
already, the grantors of memberships, and the DROP statements of ``--clean``. Nothing else is.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.dump.reading import toc
from pytest_pgrestore.sources.trees import open_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from pytest_pgrestore.sandboxes.protocol import Sandbox

EXISTING = frozenset({"postgres", "template0", "template1"})
"""Databases that initdb creates. Source: PostgreSQL docs, initdb."""

# PostgreSQL cuts names at 63 bytes. The limit keeps the patterns linear.
_QUOTED = rb'"(?:[^"]|""){1,260}+"'
_NAME = rb"(?P<name>" + _QUOTED + rb'|[^\s;"]++)'
_TABLESPACE = re.compile(rb"(CREATE TABLESPACE [^\n]* LOCATION )'(?:[^']|'')*+'")
# Since PostgreSQL 16 a grantor needs ADMIN OPTION (docs, GRANT). Production's bootstrap superuser
# has it there; the sandbox's bootstrap superuser, who is the default grantor, has it here.
_GRANTED_BY = re.compile(rb"(GRANT [^\n]*?) GRANTED BY (?:" + _QUOTED + rb"|[^\s;]++);")
_DATABASE = re.compile(
    rb"(?:CREATE|DROP) DATABASE (?:IF EXISTS )?" + _NAME + rb"(?P<options>[^\n]*);"
)
_DROP = re.compile(rb"(?:DROP (?!SCHEMA )|ALTER [^\n;]* DROP )[^\n]*;")
_DROP_SCHEMA = re.compile(rb"DROP SCHEMA (?!IF EXISTS )")
_REWRITTEN = re.compile(rb"(?:CREATE|DROP|ALTER|GRANT|REVOKE) ")
_LOCALE = re.compile(r"\b(LOCALE|LC_COLLATE|LC_CTYPE) = '((?:[^']|'')*+)'")
_ICU = re.compile(r" LOCALE_PROVIDER = icu\b|(?: ICU_LOCALE| ICU_RULES) = '(?:[^']|'')*+'")
_ENCODING = re.compile(r"\bENCODING = '([^']*+)'")
_ROLE = r'(?P<role>"(?:[^"]|""){1,260}+"|[^\s;",]++)'
_NEEDS_ROLE = re.compile(
    rf"(?:ALTER [^\n]* OWNER TO {_ROLE};"
    rf"|GRANT [^\n]* TO {_ROLE.replace('role', 'grantee')}(?: WITH GRANT OPTION)?;"
    rf"|REVOKE [^\n]* FROM {_ROLE.replace('role', 'revokee')};"
    rf"|ALTER DEFAULT PRIVILEGES FOR ROLE {_ROLE.replace('role', 'grantor')} "
    rf"|CREATE USER MAPPING FOR {_ROLE.replace('role', 'mapped')} SERVER )"
)
_REWRITTEN_BYTES = 1 << 16
"""Longest statement that is rewritten: those of pg_dump that need it have a few hundred bytes."""
_SHOWN = 60
"""Characters of a locale's name in the report."""
_MOST_WORDS = 20
"""Most sentences for the report."""


def role_named(sql: bytes) -> str | None:
    """Return the role that a statement names as owner, grantor or grantee; None without one."""
    match = _NEEDS_ROLE.match(sql.decode("utf-8", errors="replace"))
    if match is None:
        return None
    role = toc.unquoted(next(word for word in match.groups() if word is not None))
    return None if role.upper() == "PUBLIC" or role.startswith("pg_") else role


class Rewriter:
    """Rewrites statements. It is called with each one, in order.

    Args:
        sandbox: The directory of its tablespaces receives those of the dump.
        session: Connection to the running server, to query which locales and roles it has.
        places: Numbers for directories of tablespaces. Never names that are found: a program that
            the dump started may make some.
        stand_ins: Whether every role that the SQL names is created, without any rights.

    Attributes:
        words: Changes that the report must name.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        session: psycopg.Connection[Any],
        places: Iterator[int],
        *,
        stand_ins: bool = False,
    ) -> None:
        self.words: list[str] = []
        self._sandbox = sandbox
        self._session = session
        self._places = places
        self._stand_ins = stand_ins
        self._made: set[str] = set()
        self._created = False

    def __call__(self, sql: bytes) -> bytes:
        """Return the SQL for psql. It has as many lines as `sql`."""
        if _REWRITTEN.match(sql) is None:
            return sql
        self._created = self._created or sql.startswith(b"CREATE ")
        if len(sql) > _REWRITTEN_BYTES:
            return sql
        if not self._created:
            # The schema public exists already, and the dump creates it again.
            sql = _at_start(_DROP_SCHEMA, lambda _: b"DROP SCHEMA IF EXISTS ", sql)
            sql = _at_start(_DROP, lambda _: b"", sql)
        if self._stand_ins:
            self._make_role(role_named(sql))
        sql = _at_start(_TABLESPACE, self._move, sql)
        sql = _at_start(_GRANTED_BY, lambda match: match[1] + b";", sql)
        return _at_start(_DATABASE, self._database, sql)

    def _make_role(self, role: str | None) -> None:
        from psycopg import sql as compose

        if role is None or role in self._made:
            return
        self._made.add(role)
        there = self._session.execute(
            "select 1 from pg_roles where rolname = %s", [role]
        ).fetchone()
        if there is None:
            self._session.execute(
                compose.SQL("create role {} nologin").format(compose.Identifier(role))
            )

    def _move(self, match: re.Match[bytes]) -> bytes:
        place = self._sandbox.tablespaces / f"dump-{next(self._places)}"
        try:
            # Neither part of the path may be a link: programs of the dump may run already, in a
            # container even as our own user. mkdir(2) follows none, and fails if anything is there.
            with open_directory(place.parent, follow=False) as parent:
                os.mkdir(place.name, 0o700, dir_fd=parent)
        except OSError as exc:
            if exc.errno not in {errno.EEXIST, errno.ENOTDIR, errno.ELOOP}:
                raise
            raise HarnessError(
                f"{place} exists or is a link, and is not ours",
                hint="a program that the dump started made it: read the dump for COPY ... PROGRAM.",
            ) from None
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
            self._note(f"locale {match[2][:_SHOWN]}", fallback)
            return f"{match[1]} = '{fallback}'"

        return _LOCALE.sub(known, options)

    def _note(self, what: str, instead: str) -> None:
        sentence = (
            f"{what} is not known on this machine: the database uses {instead}, and sorts"
            " accordingly"
        )
        if sentence not in self.words and len(self.words) < _MOST_WORDS:
            self.words.append(sentence)

    def _answers(self, query: str, *parameters: str) -> bool:
        import psycopg

        try:
            row = self._session.execute(query.encode(), parameters or None).fetchone()
        except psycopg.Error:
            return False
        return row is not None and bool(row[0])


def _at_start(
    pattern: re.Pattern[bytes], replace: Callable[[re.Match[bytes]], bytes], sql: bytes
) -> bytes:
    """Return `sql` with its beginning replaced if `pattern` matches there."""
    match = pattern.match(sql)
    return sql if match is None else replace(match) + sql[match.end() :]


_HAS_ICU = "select exists (select from pg_collation where collprovider = 'i')"
# The server checks the value with setlocale(3), as CREATE DATABASE does.
# Source: src/backend/utils/adt/pg_locale.c, check_locale.
_PROBE = "select set_config('lc_monetary', %s, false) is not null"
