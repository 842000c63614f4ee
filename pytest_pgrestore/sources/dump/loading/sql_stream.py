r"""Plain SQL on its way into psql: statements are rewritten, and their entries collected.

A row of a table can look like any statement. So everything between ``COPY ... FROM stdin;`` and
``\.`` is passed on unread.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.reading import toc
from pytest_pgrestore.sources.dump.reading.completeness import TAIL_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_COPY = re.compile(rb"^COPY [^\n]* FROM stdin;\r?\n", re.MULTILINE)
_END_OF_ROWS = re.compile(rb"^\\\.\r?\n", re.MULTILINE)
_EVENTS = re.compile(
    r"^\\connect (?:-reuse-previous=on )?(?P<connect>.+)$"
    r"|^-- Data for Name: (?P<data>.*); Type: TABLE DATA; "
    r"Schema: (?P<data_schema>.*?); Owner: .*$"
    rf"|{toc.HEADER.pattern}",
    re.MULTILINE,
)


class SqlStream:
    r"""Rewritten chunks of a dump. It can be iterated once.

    Args:
        chunks: The dump, decompressed.
        rewrite: Called with each piece of SQL outside of rows; returns the SQL for psql. It must
            keep the number of lines, so that psql's line numbers are those of the dump.

    Attributes:
        entries: After the iteration: the entries in the dump's comments, by database. Entries
            before any ``\connect`` have the key None.
        tail: The last bytes read, unchanged.
        finished: Whether all chunks were read. psql may stop before.
    """

    def __init__(self, chunks: Iterable[bytes], rewrite: Callable[[bytes], bytes]) -> None:
        self.entries: dict[str | None, list[toc.Entry]] = {}
        self.tail = b""
        self.finished = False
        self._chunks = chunks
        self._rewrite = rewrite
        self._database: str | None = None
        self._in_rows = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes for psql."""
        for lines in self._lines():
            yield from self._pass_on(lines)
        self.finished = True

    def _lines(self) -> Iterator[bytes]:
        """Yield chunks of whole lines. Only the last one may end without a line end."""
        held: list[bytes] = []
        for chunk in self._chunks:
            self.tail = (self.tail + chunk)[-TAIL_BYTES:]
            end = chunk.rfind(b"\n") + 1
            if end:
                yield b"".join((*held, chunk[:end]))
                held = []
            held.append(chunk[end:])
        rest = b"".join(held)
        if rest:
            yield rest

    def _pass_on(self, lines: bytes) -> Iterator[bytes]:
        """Yield rows unchanged and statements rewritten."""
        position = 0
        while position < len(lines):
            border = (_END_OF_ROWS if self._in_rows else _COPY).search(lines, position)
            end = border.end() if border else len(lines)
            stretch = lines[position:end]
            yield stretch if self._in_rows else self._statements(stretch)
            self._in_rows = self._in_rows != (border is not None)
            position = end

    def _statements(self, stretch: bytes) -> bytes:
        """Collect the entries of a piece of SQL and return it rewritten."""
        for match in _EVENTS.finditer(stretch.decode("utf-8", errors="replace")):
            if match["connect"] is not None:
                self._database = _connected(match["connect"])
            elif match["data"] is None:
                self.entries.setdefault(self._database, []).append(toc.entry_of(match))
        return self._rewrite(stretch)


def _connected(argument: str) -> str:
    r"""Return the database that an argument of ``\connect`` names."""
    word = argument.strip()
    if word.startswith('"dbname='):
        value = word[1:-1].removeprefix("dbname=").replace('""', '"')
        return (
            value[1:-1].replace("\\'", "'").replace("\\\\", "\\")
            if value.startswith("'")
            else value
        )
    return toc.unquoted(word)
