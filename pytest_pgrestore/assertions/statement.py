"""The pieces of a text of SQL, and how many statements it holds: an assertion is exactly one.

The server runs several statements of one text, and a client sees the first result: the wrong one
would be judged. Standard library only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<blank>\s+|--[^\r\n]*)
    | (?P<open>/\*)
    | (?P<string>[eE]'(?:[^'\\]|''|\\.)*' | '[^']*(?:''[^']*)*' | "[^"]*(?:""[^"]*)*")
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<end>;)
    | (?P<unclosed>['"])
    | (?P<word>\w[\w$]*)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {"open": "blank", "dollar": "quoted", "string": "quoted"}
_COMMENT_BORDER = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """A piece of SQL.

    Attributes:
        kind: ``blank`` (comments too), ``quoted`` (a string, a name, a dollar quote), ``end`` (a
            semicolon), ``word``, ``sign``, or ``unclear``: from there on nothing is certain.
        text: As it is written.
    """

    kind: str
    text: str


def tokens(sql: str) -> Iterator[Token]:
    """Yield the pieces of `sql`; their texts together are `sql`.

    It is unclear where a quote or comment has no end, and where a backslash is in a plain string:
    the server decides by ``standard_conforming_strings`` whether it hides the quote behind it.

    Source: PostgreSQL docs, "Lexical Structure"; a `$` may be inside of an identifier.
    """
    position = 0
    while (found := _TOKEN.match(sql, position)) is not None:
        start, position, kind, text = position, found.end(), str(found.lastgroup), found.group()
        unclear = kind == "unclosed" or (text[:1] == "'" and "\\" in text)
        if kind in {"open", "dollar"}:
            end = _comment_end(sql, position) if kind == "open" else sql.find(text, position)
            unclear = end < 0
            position = end + (0 if kind == "open" else len(text))
        if unclear:
            yield Token("unclear", sql[start:])
            return
        yield Token(_KINDS.get(kind, kind), sql[start:position])


def count_statements(sql: str) -> int | None:
    """Return the number of statements; None if that is not certain: see `tokens`."""
    statements, filled = 0, False
    for token in tokens(sql):
        if token.kind == "unclear":
            return None
        if token.kind == "end":
            statements, filled = statements + filled, False
        elif token.kind != "blank":
            filled = True
    return statements + filled


def _comment_end(sql: str, position: int) -> int:
    """Return the position behind a comment that begins before `position`; -1 if it has no end."""
    depth = 1
    for border in _COMMENT_BORDER.finditer(sql, position):
        depth += 1 if border.group() == "/*" else -1
        if depth == 0:
            return border.end()
    return -1
