"""The input of psql's lexer and the pieces it becomes: held bytes, line numbers, limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError

TOKEN_BYTES = 1 << 16
"""Longest word, comment that is read, or line of a command. PostgreSQL cuts names at 63 bytes."""

HELD_BYTES = 1 << 20
"""Longest statement given out whole. A COPY or CREATE TABLE of 1,600 columns is shorter."""

_BY_HAND = "load it by hand, where its SQL may do harm, or make a new one with pg_dump."

Kind = Literal["comment", "statement", "command", "other"]


@dataclass(frozen=True, slots=True)
class Piece:
    r"""A part of the input.

    Attributes:
        kind: ``comment``: a comment without its line end, between statements. ``statement``: a
            whole statement. ``command``: a backslash command and the rest of its line. ``other``:
            spaces, rows, parts of a long statement.
        text: The bytes for psql: those of the input, but ``: name`` for ``:name``, which is the
            same to the server.
        line: Number of its first line.
        alone: Of a command: whether it begins a line, outside of a statement.
    """

    kind: Kind
    text: bytes
    line: int
    alone: bool = False


class PieceBuffer:
    """The bytes that were read and not yet passed on.

    Args:
        name: Name of the input, for errors.
        longest_bytes: Longest statement, or line outside of rows.

    Attributes:
        raw: The bytes that are held.
        line: Number of the line that is read.
        line_bytes: Bytes of it that were passed on.
        statement_bytes: Bytes of the statement that is read; 0 between statements.
    """

    def __init__(self, name: str, longest_bytes: int) -> None:
        self.raw = b""
        self.line = 1
        self.line_bytes = self.statement_bytes = 0
        self._name = name
        self._longest = longest_bytes
        self._statement: list[bytes] = []
        self._statement_line = 1
        self._out: list[Piece] = []

    def add(self, chunk: bytes) -> None:
        """Hold `chunk`, too.

        Raises:
            BackupNotRestorable: It has a zero byte, so it is no dump.
        """
        if b"\0" in chunk:
            # To gets_fromFile, which uses strlen, this line and the next one would be one.
            raise BackupNotRestorable(
                f"{self._name} has a zero byte behind line {self.line}: no plain dump has one",
                hint="find out what damaged it, or whether it was saved as UTF-16.",
            )
        self.raw += chunk

    def drop(self, count: int) -> list[Piece]:
        """Forget the first `count` bytes, which were passed on; return the pieces made of them."""
        self.raw = self.raw[count:]
        out, self._out = self._out, []
        return out

    def take(self, start: int, end: int, *, outside: bool = False, rows: bool = False) -> int:
        """Pass on a part of the held bytes; return `end`.

        Args:
            start: Its first byte.
            end: Behind its last byte.
            outside: Whether it is outside of any statement.
            rows: Whether it is of a table's rows, whose lines psql does not hold.
        """
        text = self.raw[start:end]
        if outside or rows:
            self._out.append(Piece("other", text, self.line))
        else:
            self._statement_line = self._statement_line if self.statement_bytes else self.line
            self._statement.append(text)
            self.statement_bytes += len(text)
        self._count(text)
        if not rows:
            self.require_short(max(self.line_bytes, self.statement_bytes))
        if self.statement_bytes > HELD_BYTES:
            self._give("other")
        return end

    def take_as(self, kind: Literal["comment", "command"], start: int, end: int) -> int:
        """Pass on a comment or command as one piece; return `end`."""
        alone = self.line_bytes == 0 and self.statement_bytes == 0
        text = self.raw[start:end]
        self._out.append(Piece(kind, text, self.line, alone=alone))
        self._count(text)
        return end

    def insert(self, text: bytes) -> None:
        """Add bytes to the statement that are not in the input."""
        self._statement.append(text)

    def end_statement(self) -> bytes | None:
        """Pass on the rest of a statement; return it, or None if it is too long to be held."""
        if self.statement_bytes == 0:
            return b""
        is_long = self.statement_bytes > HELD_BYTES
        text = self._give("other" if is_long else "statement")
        self.statement_bytes = 0
        return None if is_long else text

    def _give(self, kind: Kind) -> bytes:
        text = b"".join(self._statement)
        self._out.append(Piece(kind, text, self._statement_line))
        self._statement.clear()
        return text

    def _count(self, text: bytes) -> None:
        lines = text.count(b"\n")
        self.line += lines
        self.line_bytes = (
            len(text) - text.rindex(b"\n") - 1 if lines else self.line_bytes + len(text)
        )

    def require_short(self, count: int) -> None:
        """Refuse a statement or line of more than the limit.

        Raises:
            HarnessError: `count` bytes are more.
        """
        if count > self._longest:
            raise HarnessError(
                f"{self._name}, line {self.line}: a statement or line is longer than"
                f" {self._longest:,} bytes",
                hint="raise max_statement_mb in the source if the dump needs that, or take it with"
                " COPY instead of --inserts.",
            )

    def unclear(self, what: str) -> HarnessError:
        """Return the error for input that psql may read otherwise than we do."""
        return HarnessError(
            f"{self._name}, line {self.line}: {what}; psql may read that as a command",
            hint=_BY_HAND,
        )
