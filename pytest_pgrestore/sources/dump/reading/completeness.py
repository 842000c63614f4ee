"""Whether the end of a dump exists, for the forms whose tools do not report that it is missing."""

from __future__ import annotations

import os
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.sources.dump.reading import foreign
from pytest_pgrestore.sources.dump.reading.plain_header import IS_SQL
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_NAME_BYTES, _SIZE_AT = 100, slice(124, 136)
"""Name and size in a header of a tar (POSIX, ustar)."""

TAIL_BYTES = 4096
"""Last bytes of plain SQL, which contain the closing line."""

_HINT = (
    "find out why the dump or its copy ended early: disk full, a killed job, an interrupted"
    " transfer."
)
_UNMARKED_HINT = (
    f'{_HINT[:-1]}; if a tool removed the line, set complete = "unmarked" in the source.'
)
_CLOSING = re.compile(rb"^-- PostgreSQL database (cluster )?dump complete[ \t]*$", re.MULTILINE)
_TITLE = re.compile(rb"-- PostgreSQL database (?:cluster )?dump[ \t\r]*")
_ENTRY = re.compile(rb"-- (?:Data for )?Name: ")
# After the closing line come: the end of the comment, the time (--verbose), and \unrestrict (minor
# releases since August 2025, CVE-2025-8714).
_BEHIND = re.compile(rb"(?:--(?: Completed on [^\n]*)?\n|\\unrestrict[^\n]*\n|\s)*")


class _Piece(Protocol):
    """A piece of `loading.psql.lexer`."""

    @property
    def kind(self) -> str: ...

    @property
    def text(self) -> bytes: ...


@dataclass(slots=True)
class Ending:
    """What psql's own lexer found of the end of plain SQL.

    A row or a string can hold a closing line, too; that is no comment to the lexer.

    Attributes:
        closed: ``plain`` or ``cluster``: the last closing line; empty without one.
        behind: ``SQL`` or ``other text``: what follows the closing line; empty if nothing does.
        is_commented: Whether the comments of its tool are there.
        inside: What the file ends in: ``rows`` or ``a statement``; empty between statements.
        connects: Whether it connects to a database, as pg_dumpall does before each.
    """

    closed: str = ""
    behind: str = ""
    is_commented: bool = False
    inside: str = ""
    connects: bool = False

    @property
    def has_other_text(self) -> bool:
        """Whether what is no SQL follows a closing line."""
        return self.behind == "other text"

    def note(self, piece: _Piece) -> None:
        """Read the next piece of the dump."""
        self.connects = self.connects or (
            piece.kind == "command" and piece.text.startswith(b"\\connect")
        )
        if piece.kind == "comment":
            closing = _CLOSING.match(piece.text.rstrip(b"\r"))
            if closing is not None:
                self.closed, self.behind = ("cluster" if closing[1] else "plain"), ""
            elif _TITLE.fullmatch(piece.text):
                self.closed = self.behind = ""  # another dump begins
            self.is_commented = self.is_commented or _ENTRY.match(piece.text) is not None
        elif piece.kind != "command" and self.closed and not self.behind:
            text = piece.text.strip()
            if text:
                self.behind = "SQL" if IS_SQL.match(text) else "other text"


def require_complete(dump: DumpFile) -> None:
    """Refuse a tar archive without its end, and plain SQL with other text, before it is loaded.

    pg_restore never ends on a tar archive that is cut short. Other forms raise an error while they
    are loaded: only the lexer knows how much SQL is behind the closing line of plain SQL.

    Raises:
        BackupNotRestorable: The end of a tar archive is missing, or something that is no SQL is
            before the dump or behind it.
    """
    if dump.junk_line is not None:
        raise foreign.junk_before(dump.location, dump.junk_line)
    if dump.form == "tar":
        if not _has_tar_end(dump.path):
            raise BackupNotRestorable(
                f"{dump.location} is cut short: the tar archive has no end", hint=_HINT
            )
    elif not dump.is_archive and dump.codec == "none":
        with reading(dump.path):
            tail = tail_of(dump.path)
        behind = _behind_closing(dump, tail)
        if behind is not None:
            _require_sql(dump, behind)


def tail_of(path: Path) -> bytes:
    """Return the last bytes of a file."""
    with open_regular(path) as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL_BYTES))
        return stream.read()


def is_marked(dump: DumpFile) -> bool:
    """Return whether an uncompressed plain dump has its closing line among its last bytes."""
    return dump.codec == "none" and _behind_closing(dump, tail_of(dump.path)) is not None


def require_end(dump: DumpFile, ending: Ending, *, unmarked: bool = False) -> None:
    """Refuse a plain dump that ends early, after psql has read all of it.

    psql loads a truncated dump and ends with status 0: the end of the input ends the rows of a
    COPY as well, and a last statement without a semicolon is run.

    Raises:
        BackupNotRestorable: It ends inside of a statement or rows, or without its closing line,
            or something else than SQL follows.
        HarnessError: It is the dump of a cluster's roles and that of a database in one file.
    """
    if ending.has_other_text:
        raise behind_the_end(dump)
    if ending.inside:
        raise BackupNotRestorable(
            f"{dump.location} is cut short: it ends inside of {ending.inside}", hint=_HINT
        )
    wanted = "cluster" if dump.form == "cluster" else "plain"
    if ending.closed == wanted or unmarked:
        return
    if dump.form == "cluster" and ending.closed and not ending.connects:
        raise HarnessError(
            f"{dump.location} holds two dumps in one file, of pg_dumpall and of pg_dump",
            hint='name them in `path`: path = ["globals.sql", "shop.sql"].',
        )
    if dump.is_titled or ending.is_commented:
        raise _cut_short(dump)


def behind_the_end(dump: DumpFile) -> BackupNotRestorable:
    """Return the error for a dump with something that is no SQL after its closing line."""
    return BackupNotRestorable(
        f"{dump.location} has other text after the closing line of the dump",
        hint="write the dump with pg_dump --file=..., and the job's own output elsewhere.",
    )


def _behind_closing(dump: DumpFile, tail: bytes) -> bytes | None:
    """Return what follows the closing line and its companions; None without the line."""
    tail = tail.replace(b"\r\n", b"\n")
    found = [match for match in _CLOSING.finditer(tail) if bool(match[1]) == _is_cluster(dump)]
    if not found:
        return None
    behind = tail[found[-1].end() :]
    companions = _BEHIND.match(behind)
    return behind if companions is None else behind[companions.end() :]


def _is_cluster(dump: DumpFile) -> bool:
    return dump.form == "cluster"


def _require_sql(dump: DumpFile, behind: bytes) -> None:
    """Refuse other text than SQL; whether the SQL is whole is for the lexer to say."""
    if behind and IS_SQL.match(behind) is None:
        raise behind_the_end(dump)


def _cut_short(dump: DumpFile) -> BackupNotRestorable:
    word = "database cluster" if _is_cluster(dump) else "database"
    return BackupNotRestorable(
        f"{dump.location} is cut short: the closing line `-- PostgreSQL {word} dump complete`"
        " is missing",
        hint=_UNMARKED_HINT,
    )


def _has_tar_end(path: Path) -> bool:
    """Return whether a tar archive ends like pg_dump's: with restore.sql and two empty blocks.

    Source: src/bin/pg_dump/pg_backup_tar.c, _CloseArchive.
    """
    block = tarfile.BLOCKSIZE
    name, end = b"", 0
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        while len(header := stream.read(block)) == block and header.strip(b"\0"):
            name = header[:_NAME_BYTES].rstrip(b"\0")
            length = _tar_number(header[_SIZE_AT])
            if length is None or end + block + length > size:
                return False
            end += block + -(-length // block) * block
            stream.seek(end)
    return name == b"restore.sql" and size >= end + 2 * block


def _tar_number(field: bytes) -> int | None:
    """Return a number in octal digits, or in binary behind a first bit; None for other bytes.

    Source: src/port/tar.c, tarGetNumber. pg_dump writes no extensions, as pax headers are.
    """
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else None
