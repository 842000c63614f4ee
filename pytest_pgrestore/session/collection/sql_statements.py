"""How many statements a text of SQL holds: an assertion of a drill file is exactly one.

The server runs several statements of one text, and a client sees the first result: the wrong one
would be judged. Standard library only.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<blank>\s+|--[^\r\n]*)
    | (?P<open>/\*)
    | (?P<string>[eE]'(?:[^'\\]|''|\\.)*' | '[^']*(?:''[^']*)*' | "[^"]*(?:""[^"]*)*")
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<end>;)
    | (?P<unclosed>['"])
    | (?P<word>\w[\w$]*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_BORDER = re.compile(r"/\*|\*/")


def count_statements(sql: str) -> int | None:
    """Return the number of statements; None if that is not certain.

    It is not where a quote or comment has no end, and where a backslash is in a plain string: the
    server decides by ``standard_conforming_strings`` whether it hides the quote behind it.

    Source: PostgreSQL docs, "Lexical Structure"; a `$` may be inside of an identifier.
    """
    statements, filled, position = 0, False, 0
    while (token := _TOKEN.match(sql, position)) is not None:
        position, kind, text = token.end(), token.lastgroup, token.group()
        if kind == "unclosed" or (text[:1] == "'" and "\\" in text):
            return None
        if kind in {"open", "dollar"}:
            end = _comment_end(sql, position) if kind == "open" else sql.find(text, position)
            if end < 0:
                return None
            position = end + (0 if kind == "open" else len(text))
        if kind == "end":
            statements, filled = statements + filled, False
        elif kind not in {"blank", "open"}:
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
