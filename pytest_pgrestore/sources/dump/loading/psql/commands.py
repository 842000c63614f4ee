r"""The backslash commands of psql that a dump may hold. psql gets none of them as it stands.

pg_dumpall writes ``\connect NAME``, and minor releases since August 2025 write ``\restrict`` and
``\unrestrict``. A few more that touch nothing are left out. Any other may run a program, read or
write files, or lead psql to another server.

Sources: src/fe_utils/string_utils.c, appendPsqlMetaConnect; src/bin/pg_dump/pg_dumpall.c;
PostgreSQL docs, psql.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from pytest_pgrestore.sources.dump.loading.psql.pieces import Piece

_SHOWN = 40
"""Characters of an unknown command's name in a message."""

# A backslash would begin another command, a backtick runs a program, a colon names a variable.
_LEFT_OUT = re.compile(
    rb"\\(?:(?:restrict|unrestrict)[ \t]+[A-Za-z0-9]+|(?:echo|qecho|warn)\b[^\\`:]*"
    rb"|timing(?:[ \t]+(?:on|off))?|set[ \t]+ON_ERROR_STOP[ \t]+(?:on|1|true))\s*",
    re.IGNORECASE,
)
_ENCODING = re.compile(rb"\\encoding[ \t]+'?([A-Za-z0-9_-]+)'?\s*")
_CONNECT = re.compile(
    rb"\\(?:connect|c)[ \t]+(?:-reuse-previous=on[ \t]+\"dbname=(?P<value>(?:[^\"]|\"\")*+)\""
    rb"|\"(?P<quoted>(?:[^\"]|\"\")++)\"|(?P<name>[A-Za-z0-9_.$\x80-\xff]++))\s*"
)
_VALUE = re.compile(rb"'((?:[^'\\]|\\['\\])*+)'|([A-Za-z0-9_.\x80-\xff]++)")
_UNPRINTABLE = re.compile(rb"[\x00-\x1f\x7f]")
_NAME = re.compile(rb"\\[A-Za-z_+?!;:]*")


@dataclass(frozen=True, slots=True)
class Connect:
    """A change to another database.

    Attributes:
        database: Its name.
    """

    database: bytes

    @property
    def command(self) -> bytes:
        r"""The ``\connect`` that psql gets: host, port and user stay as they are."""
        value = self.database.replace(b"\\", b"\\\\").replace(b"'", b"\\'").replace(b'"', b'""')
        return b"\\connect -reuse-previous=on \"dbname='" + value + b"'\""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL that does what the command would do; empty for nothing.

    Attributes:
        sql: The SQL.
    """

    sql: bytes


def read_command(name: str, piece: Piece) -> Connect | Statement:
    """Return what a command of a dump stands for.

    Args:
        name: Name of the dump, for errors.
        piece: The command.

    Raises:
        HarnessError: It is none of the harmless ones.
    """
    if piece.alone:
        if _LEFT_OUT.fullmatch(piece.text):
            return Statement(b"")
        encoding = _ENCODING.fullmatch(piece.text)
        if encoding is not None:
            return Statement(b"SET client_encoding = '" + encoding[1] + b"';")
        database = _database(piece.text)
        if database is not None:
            return Connect(database)
    raise _refused(name, piece)


def _database(text: bytes) -> bytes | None:
    r"""Return the database of a ``\connect`` as pg_dumpall writes it; None for other forms."""
    match = _CONNECT.fullmatch(text)
    if match is None:
        return None
    database = match["name"] or match["quoted"]
    if match["value"] is not None:
        value = _VALUE.fullmatch(match["value"].replace(b'""', b'"'))
        if value is None:
            return None
        found = value[1] if value[1] is not None else value[2]
        return re.sub(rb"\\(.)", rb"\1", found)
    database = database.replace(b'""', b'"')
    # psql takes such a name for a connection string, which may name another server.
    if b"=" in database or b"://" in database or _UNPRINTABLE.search(database):
        return None
    return database


def _refused(name: str, piece: Piece) -> HarnessError:
    match = _NAME.match(piece.text)
    command = (match[0] if match else b"\\")[:_SHOWN].decode("ascii")
    what = f"{name}, line {piece.line}: psql's command {command}"
    if command in {"\\connect", "\\c"}:
        return HarnessError(
            f"{what} is not of the form that pg_dumpall writes, and may lead to another server",
            hint=f"remove {command}, or let it name nothing but a database.",
        )
    return HarnessError(
        f"{what} is none that pg_dump or pg_dumpall writes, and may run programs on this machine",
        hint=f"find out who wrote {command} into the dump; if it is harmless, remove it.",
    )
