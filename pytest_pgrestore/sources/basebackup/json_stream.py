"""Reading a large JSON object piece by piece, in little memory.

The pieces are decoded by the standard library. It has no streaming reader of its own.
"""

from __future__ import annotations

import codecs
import json
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

PIECE = 1 << 16
"""Most characters of one piece: a key, a value, an item of a list.

An entry of a manifest has a path of at most 1,023 bytes (MAXPGPATH), in hexadecimal digits twice
that, and a checksum of at most 128 digits.
"""

_CHUNK = 1 << 20
_SPACE = " \t\r\n"


def _refuse(word: str) -> Any:
    # Infinity and NaN are Python's own additions to JSON.
    raise ValueError(word)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


class JsonStream:
    """One JSON object in a stream.

    Args:
        stream: A binary stream with UTF-8.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._characters = codecs.getincrementaldecoder("utf-8")()
        self._buffer = ""
        self._at = 0
        self._decode = json.JSONDecoder(
            parse_constant=_refuse, object_pairs_hook=_without_repetition
        ).raw_decode

    def members(self, lists: Collection[str]) -> Iterator[tuple[str, Any]]:
        """Yield each member of the object: key and value.

        Args:
            lists: Keys of long lists. Each is yielded with None first, then with each item.

        Raises:
            ValueError: It is no JSON object, cut short, or a piece is too long.
            RecursionError: A piece is nested too deeply.
        """
        self._expect("{")
        if self._next() == "}":
            self._at += 1
            return self._require_end()
        while True:
            key = self._piece()
            if not isinstance(key, str):
                raise ValueError(key)  # noqa: TRY004 - the text is wrong, not a type of ours
            self._expect(":")
            if key in lists:
                yield key, None
                yield from ((key, item) for item in self._items())
            else:
                yield key, self._piece()
            if not self._goes_on("}"):
                return self._require_end()

    def _items(self) -> Iterator[Any]:
        self._expect("[")
        if self._next() == "]":
            self._at += 1
            return
        while True:
            yield self._piece()
            if not self._goes_on("]"):
                return

    def _goes_on(self, end: str) -> bool:
        """Return whether a comma follows, and not `end`."""
        found = self._next()
        if found not in {",", end}:
            raise ValueError(found)
        self._at += 1
        return found == ","

    def _expect(self, wanted: str) -> None:
        if self._next() != wanted:
            raise ValueError(wanted)
        self._at += 1

    def _require_end(self) -> None:
        if self._next():
            raise ValueError("something follows the object")

    def _piece(self) -> Any:
        self._next()
        value, self._at = self._decode(self._buffer, self._at)
        return value

    def _next(self) -> str:
        """Return the next character that is no space, empty at the end; keep a piece behind it.

        Raises:
            ValueError: More spaces than a piece may have.
        """
        if len(self._buffer) - self._at < PIECE:
            read = self._stream.read(_CHUNK)
            more = self._characters.decode(read, final=not read)
            self._buffer, self._at = self._buffer[self._at :] + more, 0
        limit = self._at + PIECE // 2
        while self._at < len(self._buffer) and self._buffer[self._at] in _SPACE:
            self._at += 1
            if self._at > limit:
                raise ValueError("spaces")
        return self._buffer[self._at : self._at + 1]
