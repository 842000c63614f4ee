"""The tokens of one short SQL statement: words, names and strings are told apart.

A name in quotes can hold any words (``"a OWNER TO b"``). So no pattern may run over a whole
statement: changes are made between tokens only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_pgrestore.sources.dump.reading import toc

_TOKEN = re.compile(
    rb"(?P<space>\s++|--[^\n]*+)|(?P<block>/\*)"
    rb'|(?P<name>"(?:[^"]|"")*+")'
    rb"|(?P<string>[eE]'(?:[^'\\]|\\.|'')*+'|'(?:[^']|'')*+')"
    rb"|(?P<word>[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*+)"
    rb"|(?P<sign>.)",
    re.DOTALL,
)
_BORDER = re.compile(rb"/\*|\*/")

LONGEST_BYTES = 1 << 16
"""Longest statement that is cut into tokens: those of pg_dump that need it have some hundreds."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: What it is; ``word`` is a keyword or a name without quotes.
        text: Its bytes.
        start: Its first byte in the statement.
        end: Behind its last byte.
    """

    kind: str
    text: bytes
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """The word in upper case; empty for other tokens."""
        return self.text.decode("latin-1").upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The name that it stands for: PostgreSQL folds words without quotes."""
        text = self.text.decode("utf-8", errors="replace")
        if self.kind == "string":
            return text[1:-1].replace("''", "'")
        return toc.unquoted(text) if self.kind == "name" else text.lower()


def tokens_of(sql: bytes) -> list[Token]:
    """Return the tokens of a statement, without spaces and comments; none of a very long one."""
    found: list[Token] = []
    place = 0
    while len(sql) <= LONGEST_BYTES and (match := _TOKEN.match(sql, place)) is not None:
        place = match.end()
        if match.lastgroup == "block":
            place = _behind_comment(sql, place)
        elif match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match.group(), *match.span()))
    return found


def _behind_comment(sql: bytes, place: int) -> int:
    """Return where a comment ends. Comments are nested."""
    depth = 1
    while depth and (border := _BORDER.search(sql, place)) is not None:
        depth += 1 if border.group() == b"/*" else -1
        place = border.end()
    return place if depth == 0 else len(sql)


_NOTHING = Token("sign", b"", 0, 0)


def at(found: list[Token], place: int) -> Token:
    """Return the token at a place, or one of no kind where the statement has ended."""
    return found[place] if -len(found) <= place < len(found) else _NOTHING


def begins(found: list[Token], *words: str) -> bool:
    """Return whether the statement begins with these keywords."""
    return len(found) >= len(words) and all(
        token.keyword == word for token, word in zip(found, words, strict=False)
    )


def without(sql: bytes, start: int = 0, end: int | None = None) -> bytes:
    """Return `sql` without a part of it, with as many lines as before."""
    gone = sql[start:end]
    return sql[:start] + b"\n" * gone.count(b"\n") + sql[start + len(gone) :]
