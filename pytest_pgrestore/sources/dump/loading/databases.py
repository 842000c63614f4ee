"""CREATE DATABASE and DROP DATABASE of a dump: known databases, and locales this machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sources.dump.loading.sql_tokens import at, without

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.sources.dump.loading.sql_tokens import Token

EXISTING = frozenset({"postgres", "template0", "template1"})
"""Databases that initdb creates. Source: PostgreSQL docs, initdb."""

_LOCALES = frozenset({"LOCALE", "LC_COLLATE", "LC_CTYPE"})
_ICU = frozenset({"LOCALE_PROVIDER", "ICU_LOCALE", "ICU_RULES"})
_SHOWN = 60
"""Characters of a locale's name in the report."""
_MOST_WORDS = 20
"""Most sentences for the report."""

_HAS_ICU = "select exists (select from pg_collation where collprovider = 'i')"
# The server checks the value with setlocale(3), as CREATE DATABASE does.
# Source: src/backend/utils/adt/pg_locale.c, check_locale.
_PROBE = "select set_config('lc_monetary', %s, false) is not null"


class DatabaseStatements:
    """Rewrites statements about databases.

    Args:
        session: Connection to the running server.

    Attributes:
        words: Changes that the report must name.
    """

    def __init__(self, session: psycopg.Connection[Any]) -> None:
        self.words: list[str] = []
        self._session = session

    def changed(self, sql: bytes, found: list[Token]) -> bytes:
        """Return CREATE DATABASE or DROP DATABASE as it is run here."""
        place = 4 if at(found, 2).keyword == "IF" else 2
        if at(found, place).name in EXISTING:
            return without(sql)
        for token, text in reversed(self._replacements(found)):
            sql = sql[: token.start] + text + sql[token.end :]
        return sql

    def _replacements(self, found: list[Token]) -> list[tuple[Token, bytes]]:
        """Return the tokens to replace, in order."""
        fallback = "C.UTF-8" if _option(found, "ENCODING") in {"", "UTF8"} else "C"
        replaced: list[tuple[Token, bytes]] = []
        without_icu = _option(found, "LOCALE_PROVIDER") == "icu" and not self._answers(_HAS_ICU)
        if without_icu:
            self._note("an ICU locale", fallback)
        for name, sign, value in zip(found, found[1:], found[2:], strict=False):
            if sign.text != b"=":
                continue
            if without_icu and name.keyword in _ICU:
                replaced += [(name, b""), (sign, b""), (value, b"")]
            elif (
                name.keyword in _LOCALES
                and value.kind == "string"
                and not self._answers(_PROBE, value.name)
            ):
                self._note(f"locale {value.name[:_SHOWN]}", fallback)
                replaced.append((value, f"'{fallback}'".encode()))
        return replaced

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


def make_empty(session: psycopg.Connection[Any], database: str, encoding: str | None) -> None:
    """Create an empty database; `encoding` is the dump's client encoding.

    The server converts other encodings. It does not convert or check SQL_ASCII.
    Source: PostgreSQL docs, "Character Set Support".
    """
    from psycopg import sql

    create = sql.SQL("create database {} template template0").format(sql.Identifier(database))
    extra = " encoding 'SQL_ASCII' locale 'C'" if encoding == "SQL_ASCII" else ""
    session.execute(create + sql.SQL(extra))


def _option(found: list[Token], name: str) -> str:
    """Return the value of an option of CREATE DATABASE; empty without it."""
    for word, sign, value in zip(found, found[1:], found[2:], strict=False):
        if word.keyword == name and sign.text == b"=":
            return value.name
    return ""
