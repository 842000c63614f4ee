r"""Plain SQL on its way into psql: statements are rewritten, commands checked, entries collected.

A row of a table, a string or the body of a function can look like any statement, command or
comment. So psql's own lexer decides what is one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.loading.limits import LoadLimits
from pytest_pgrestore.sources.dump.loading.psql.commands import Connect, read_command
from pytest_pgrestore.sources.dump.loading.psql.lexer import PsqlLexer
from pytest_pgrestore.sources.dump.reading import entries
from pytest_pgrestore.sources.dump.reading.completeness import Ending
from pytest_pgrestore.sources.dump.reading.entries import as_printed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_pgrestore.sources.dump.loading.psql.pieces import Piece

_ENCODING = re.compile(rb"SET client_encoding = '([A-Za-z0-9_]{1,63})'")
_TABLE = re.compile(rb"CREATE (?:UNLOGGED )?TABLE\b", re.IGNORECASE)
_ROWS = re.compile(rb"(?:COPY|INSERT)\b", re.IGNORECASE)


class SqlStream:
    r"""Rewritten chunks of a dump. It can be iterated once.

    Args:
        chunks: The dump, decompressed.
        rewrite: Called with each statement; returns the SQL for psql. It must keep the number of
            lines, so that psql's line numbers are those of the dump.
        name: Name of the dump, for errors.
        limits: What the dump may ask for.
        key: Key of psql's restricted mode; None if this psql has none. In that mode psql itself
            refuses every command, should the server lead it to read rows as SQL.

    Attributes:
        entries: After the iteration: the entries in the dump's comments, by database. Entries
            before any ``\connect`` have the key None.
        databases: The databases of all ``\connect``, in order.
        encodings: Encoding of the dump's text, by database; None is the first connection.
        ending: What is known of the dump's end.
        has_tables: Whether a table is created.
        has_rows: Whether rows are loaded, or could be: an empty table has a COPY, too.
        finished: Whether all chunks were read. psql may stop before.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        rewrite: Callable[[bytes], bytes],
        *,
        name: str = "the dump",
        limits: LoadLimits | None = None,
        key: str | None = None,
    ) -> None:
        self.entries: dict[str | None, list[entries.Entry]] = {}
        self.databases: list[str] = []
        self.encodings: dict[str | None, str] = {}
        self.ending = Ending()
        self.has_tables = self.has_rows = False
        self.finished = False
        self._chunks = chunks
        self._rewrite = rewrite
        self._name = name
        self._limits = limits or LoadLimits()
        self._key = key.encode() if key is not None else None
        self._database: str | None = None
        self._count = 0
        self._line_end_is_due = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes for psql.

        Raises:
            BackupNotRestorable: The input is no dump.
            HarnessError: It has a command that may harm, or exceeds a limit.
        """
        if self._key is not None:
            yield b"\\restrict %b \\\\ " % self._key
        lexer = PsqlLexer(self._name, self._limits.statement_bytes)
        for pieces in lexer.pieces(self._chunks):
            yield b"".join(self._for_psql(piece) for piece in pieces)
        self.ending.inside = lexer.inside
        self.finished = True

    def _for_psql(self, piece: Piece) -> bytes:
        self.ending.note(piece)
        if self._line_end_is_due:
            self._line_end_is_due = False
            return piece.text.removeprefix(b"\n")
        # A long statement comes in pieces of kind `other`.
        self.has_rows = self.has_rows or _ROWS.match(piece.text) is not None
        if piece.kind == "statement":
            self.has_tables = self.has_tables or _TABLE.match(piece.text) is not None
            encoding = _ENCODING.match(piece.text)
            if encoding is not None:
                # The next database's is set before its \connect.
                self.encodings.setdefault(self._database, encoding[1].decode("ascii"))
            return self._rewrite(piece.text)
        if piece.kind == "command":
            return self._command(piece)
        if piece.kind == "comment":
            self._note(piece.text)
        return piece.text

    def _command(self, piece: Piece) -> bytes:
        meaning = read_command(self._name, piece)
        if not isinstance(meaning, Connect):
            return meaning.sql
        self._database = meaning.database.decode("utf-8", errors="replace")
        self.databases.append(self._database)
        if self._key is None:
            return meaning.command
        # In psql 18 the key of \unrestrict takes the rest of its line, so it gets its own line,
        # and the line end behind the command is left out: line numbers stay the same.
        self._line_end_is_due = True
        restrict = b"\\restrict %b \\\\ " % self._key
        return b"\\unrestrict %b\n%b \\\\ %b" % (self._key, meaning.command, restrict)

    def _note(self, comment: bytes) -> None:
        entry = entries.entry_of(as_printed(comment).rstrip("\r"))
        if entry is None:
            return
        self._count += 1
        if self._count > self._limits.objects:
            raise entries.too_many_objects(self._name, self._limits.objects)
        self.entries.setdefault(self._database, []).append(entry)
