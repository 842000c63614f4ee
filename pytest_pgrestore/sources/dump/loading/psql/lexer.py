r"""psql's view of plain SQL. Long: a method for each state of psql's lexer.

It tells where a statement ends, where rows begin, and where psql takes a command.

psql takes a backslash outside of quotes as a command of its own, also behind SQL in the same line,
and replaces ``:name``. So a dump can run programs or connect to another server. This lexer follows
psql's token by token, reads each byte a bounded number of times, and holds a bounded part of the
input. It refuses input that the versions of psql read differently.

Source: src/fe_utils/psqlscan.l; MainLoop, gets_fromFile and handleCopyIn of src/bin/psql.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.loading.limits import LoadLimits
from pytest_pgrestore.sources.dump.loading.psql import tokens
from pytest_pgrestore.sources.dump.loading.psql.pieces import (
    TOKEN_BYTES,
    Piece,
    PieceBuffer,
)
from pytest_pgrestore.sources.dump.loading.psql.settings import LexerSettings
from pytest_pgrestore.sources.dump.loading.psql.words import StatementWords

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator

_MARK = b"\xef\xbb\xbf"
"""Byte order mark. Only with some client encodings, psql removes it itself."""

_OUTSIDE = "a number, `$` or carriage return whose meaning depends on psql's version"
_IN_COMMENT = "a carriage return in a comment, which ends it"


class PsqlLexer:
    """Cuts plain SQL into pieces. Each method `_...(position)` reads in one state of psql's.

    It returns the position behind what it read, or None if only the next chunk decides.

    Args:
        name: Name of the input, for errors.
        longest_bytes: Longest statement, or line outside of rows.
    """

    def __init__(self, name: str, longest_bytes: int = LoadLimits().statement_bytes) -> None:
        self._buffer = PieceBuffer(name, longest_bytes)
        self._settings = LexerSettings()
        self._words = StatementWords()
        self._state: Callable[[int], int | None] = self._sql
        self._data = self._masked = b""
        self._masked_for: re.Pattern[bytes] | None = None
        self._final = False
        self._ends_open = False
        self._tag = b""
        self._depth = 0

    @property
    def inside(self) -> str:
        """What the input ended in: ``rows`` or ``a statement``; empty between statements."""
        if self._state in {self._rows, self._before_rows}:
            return "rows"
        return "a statement" if self._ends_open else ""

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[list[Piece]]:
        """Yield the pieces of each chunk, in order.

        Raises:
            BackupNotRestorable: The input has a zero byte, so it is no dump.
            HarnessError: A statement is too long, or it is not certain how psql reads the input.
        """
        started = False
        for chunk in chunks:
            self._buffer.add(chunk if started else chunk.removeprefix(_MARK))
            started = True
            yield self._read()
        self._final = True
        yield self._read()

    def _read(self) -> list[Piece]:
        position = 0
        self._masked_for = None
        self._data = self._seen()
        while position < len(self._data):
            after = self._state(position)
            if after is None:
                break
            position = after
        left = len(self._buffer.raw) - position
        if self._final:
            if left:
                self._buffer.take(position, position + left, outside=self._outside())
            self._ends_open = not self._outside()
            self._buffer.end_statement()
            position += left
        elif left > TOKEN_BYTES and self._settings.unsafe is None:
            raise self._buffer.unclear("a word, tag or command is too long")
        return self._buffer.drop(position)

    def _seen(self) -> bytes:
        """Return the input as psql sees it; whole lines if characters matter.

        Lines are masked once for each chunk and encoding: the offsets stay those of the input.
        """
        raw, unsafe = self._buffer.raw, self._settings.unsafe
        if unsafe is None or self._state == self._rows:
            return raw
        if self._masked_for is not unsafe:
            end = len(raw) if self._final else raw.rfind(b"\n") + 1
            self._buffer.require_short(len(raw) - end)
            self._masked, self._masked_for = self._settings.masked(raw[:end]), unsafe
        return self._masked

    def _begin_line(self, state: Callable[[int], int | None], position: int) -> int:
        """Read in `state` from `position` on, where a line begins."""
        self._state = state
        self._data = self._seen()
        return position

    def _outside(self) -> bool:
        return self._buffer.statement_bytes == 0

    def _sql(self, position: int) -> int | None:
        """Read outside of quotes and comments."""
        data = self._data
        if self._outside():
            space = tokens.SPACE.match(data, position)
            if space is not None:
                return self._buffer.take(position, space.end(), outside=True)
        run = self._words.run(standard=self._settings.standard).match(data, position)
        if run is not None:
            end = run.end()
            if end == len(data) and not self._final and data[run.start(1)] not in b"'\"":
                end = run.start(1)  # the next chunk may continue the last token
            return self._buffer.take(position, end) if end > position else None
        token = tokens.TOKEN.match(data, position)
        if not self._final and self._is_open(token, position):
            return None
        if token is None:
            raise self._buffer.unclear(_OUTSIDE)
        return self._token(str(token.lastgroup), token)

    def _is_open(self, token: re.Match[bytes] | None, position: int) -> bool:
        """Return whether the next chunk decides which token this is."""
        if len(self._data) - position < tokens.LOOKAHEAD_BYTES:
            return True
        if token is None:
            return False
        if token.lastgroup == "dollar":
            return tokens.OPEN_TAG.match(self._data, position) is not None
        return token.lastgroup == "word" and token.end() == len(self._data)

    def _token(self, kind: str, token: re.Match[bytes]) -> int | None:
        start, end = token.span()
        if kind == "command":
            return self._command(start)
        if kind == "comment":
            self._state = self._line_comment
            return self._line_comment(start)
        self._buffer.take(start, end, outside=kind == "block" and self._outside())
        if kind == "end" and self._words.complete:
            return self._end_of_statement(end)
        if kind == "variable":
            self._buffer.insert(b" ")
        elif kind == "block":
            self._depth, self._state = 1, self._block_comment
        elif kind in {"tag", "name"}:
            self._tag, self._state = (token.group() if kind == "tag" else b'"'), self._quoted
        elif kind == "escaped" or (kind == "quote" and not self._settings.standard):
            self._state = self._escaped
        elif kind in {"quote", "plain", "unicode"}:
            if kind == "unicode" and not self._settings.standard:
                raise self._buffer.unclear("U&'...' without standard_conforming_strings")
            self._tag, self._state = b"'", self._quoted
        else:
            self._words.note(kind, token.group())
        return end

    def _quoted(self, position: int) -> int | None:
        """Read up to the end of a quote. A doubled quote ends one and begins the next."""
        found = self._data.find(self._tag, position)
        if found < 0:
            return self._all_but(position, len(self._tag) - 1)
        self._state = self._sql
        return self._buffer.take(position, found + len(self._tag))

    def _escaped(self, position: int) -> int | None:
        r"""Read a string with escapes: ``\'`` does not end it."""
        inside = tokens.ESCAPED.match(self._data, position)
        end = position if inside is None else inside.end()
        rest = self._data[end : end + 2]
        if rest[:1] == b"'" and (len(rest) > 1 or self._final):
            self._state, end = self._sql, end + 1
        return self._buffer.take(position, end) if end > position else None

    def _block_comment(self, position: int) -> int | None:
        border = tokens.COMMENT_BORDER.search(self._data, position)
        if border is None:
            return self._all_but(position, 1)
        self._depth += 1 if border.group() == b"/*" else -1
        if self._depth == 0:
            self._state = self._sql
        return self._buffer.take(position, border.end(), outside=self._outside())

    def _all_but(self, position: int, count: int) -> int | None:
        """Take everything but the last `count` bytes, which the next chunk may complete."""
        end = len(self._data) - (0 if self._final else count)
        if end <= position:
            return None
        return self._buffer.take(position, end, outside=self._outside())

    def _line_comment(self, position: int) -> int | None:
        """Read a comment up to its line end, which is not taken."""
        found = tokens.LINE_END.search(self._data, position)
        end = len(self._data) if found is None else found.start()
        if found is None and not self._final and self._outside() and end - position < TOKEN_BYTES:
            return None
        if self._data[end : end + 1] == b"\r" and not self._data.startswith(b"\n", end + 1):
            if end + 1 < len(self._data):
                raise self._buffer.unclear(_IN_COMMENT)
            if not self._final:
                return self._buffer.take(position, end, outside=True) if end > position else None
        if found is not None:
            self._state = self._sql
        if self._outside() and end - position <= TOKEN_BYTES:
            return self._buffer.take_as("comment", position, end)
        return self._buffer.take(position, end, outside=self._outside())

    def _command(self, position: int) -> int | None:
        end = self._data.find(b"\n", position)
        if end < 0:
            if not self._final and len(self._data) - position <= TOKEN_BYTES:
                return None
            end = len(self._data)
        return self._buffer.take_as("command", position, end)

    def _end_of_statement(self, end: int) -> int:
        first, self._words = self._words.first, StatementWords()
        text = self._buffer.end_statement()
        self._state = self._sql
        if first == b"copy":
            is_input = None if text is None else tokens.copies_from_client(text)
            if is_input is None:
                raise self._buffer.unclear("a COPY statement of an unknown form")
            self._state = self._before_rows if is_input else self._sql
        elif first == b"set" and text is not None and self._settings.change(text):
            self._state = self._before_other_settings
        return end

    def _before_rows(self, position: int) -> int | None:
        return self._rest_of_line(position, self._rows, "text behind COPY in its line")

    def _before_other_settings(self, position: int) -> int | None:
        # psql_scan_setup takes them for a whole line.
        return self._rest_of_line(position, self._sql, "text behind SET in its line")

    def _rest_of_line(
        self, position: int, then: Callable[[int], int | None], what: str
    ) -> int | None:
        blank = tokens.BLANK_REST.match(self._data, position)
        if blank is None:
            if self._data[position:].strip():
                raise self._buffer.unclear(what)
            return None
        self._buffer.take(position, blank.end(), outside=True)
        return self._begin_line(then, blank.end())

    def _rows(self, position: int) -> int | None:
        data = self._data
        if self._buffer.line_bytes == 0:
            end = tokens.END_OF_ROWS.match(data, position)
            if end is not None:
                self._buffer.take(position, end.end(), rows=True)
                return self._begin_line(self._sql, end.end())
        border = tokens.LAST_ROW.search(data, position)
        if border is not None:
            return self._buffer.take(position, border.end(), rows=True)
        last = data.rfind(b"\n", position) + 1 or position
        begins = last > position or self._buffer.line_bytes == 0
        if begins and not self._final and b"\\.\r\n".startswith(data[last:]):
            return self._buffer.take(position, last, rows=True) if last > position else None
        return self._buffer.take(position, len(data), rows=True)
