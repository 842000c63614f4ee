"""The two settings of a session that change how psql reads: its strings, and its characters."""

from __future__ import annotations

import re

_SET = re.compile(
    rb"SET\s++(?:(?:SESSION|LOCAL)\s++)?+(?P<name>standard_conforming_strings|client_encoding|NAMES)\b"
    rb"\s*+(?:=|TO\b)?+\s*+(?P<value>'[^']*+'|\"[^\"]*+\"|[A-Za-z0-9_-]++)?+",
    re.IGNORECASE,
)
_NOT_OFF = frozenset({b"on", b"true", b"t", b"yes", b"y", b"1", b"default", b""})
_TWO_BYTES = re.compile(rb"([\x80-\xff])[^\n]")
_SHIFT_JIS = re.compile(rb"([\x80-\xa0\xe0-\xff])[^\n]")
_FOUR_BYTES = re.compile(rb"([\x80-\xff])(?:[0-9][^\n]{0,2}|[^\n])")
_UNSAFE = (
    dict.fromkeys((b"sjis", b"mskanji", b"shiftjis", b"win932", b"windows932"), _SHIFT_JIS)
    | dict.fromkeys((b"shiftjis2004", b"sjis2004"), _SHIFT_JIS)
    | dict.fromkeys((b"big5", b"win950", b"windows950"), _TWO_BYTES)
    | dict.fromkeys((b"gbk", b"win936", b"windows936"), _TWO_BYTES)
    | dict.fromkeys((b"uhc", b"win949", b"windows949", b"johab"), _TWO_BYTES)
    | {b"gb18030": _FOUR_BYTES}
)
"""Encodings whose characters can end with the byte of a backslash, by name and alias.

Sources: src/common/encnames.c (names), src/common/wchar.c (lengths), PostgreSQL docs, "Character
Set Support" (which of them only clients have).
"""


class LexerSettings:
    """What psql knows of the session when it reads a line.

    Attributes:
        standard: Whether a string without prefix has no escapes. psql gets it from the server,
            and `Clients` starts each session with it.
        unsafe: The pattern of a character; None if all bytes of a character are above ASCII.
    """

    def __init__(self) -> None:
        self.standard = True
        self.unsafe: re.Pattern[bytes] | None = None

    def change(self, statement: bytes) -> bool:
        """Note a SET statement; return whether it changes how psql reads."""
        match = _SET.match(statement)
        if match is None:
            return False
        value = (match["value"] or b"").strip(b"'\"").lower()
        if match["name"].lower() == b"standard_conforming_strings":
            self.standard = value in _NOT_OFF
        else:
            self.unsafe = _UNSAFE.get(re.sub(rb"[^a-z0-9]", b"", value))
        return True

    def masked(self, text: bytes) -> bytes:
        """Return whole lines as psql reads them: bytes behind a character's first one are 0xff.

        Source: src/fe_utils/psqlscan.l, psqlscan_prepare_buffer.
        """
        if self.unsafe is None:
            return text
        return self.unsafe.sub(lambda match: match[1] + b"\xff" * (len(match[0]) - 1), text)
