"""Patterns of psql's tokens. Each is linear: its repetitions give nothing back.

Source: src/fe_utils/psqlscan.l, which has the backend's tokens and psql's own.
"""

from __future__ import annotations

import re

LOOKAHEAD_BYTES = 3
"""Bytes that decide what a token is, for example ``U&'``."""

_WORD = rb"[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*+"
# Behind a number or `$1`, versions differ: `1e'\'` is one string to 14, and another one to 15.
_NO_JUNK = rb"(?![A-Za-z_$'\"&\x80-\xff])"
_QUIET = rb"""[^A-Za-z0-9_\x80-\xff$'"\\;:()/\-\r]"""
_NUMBERS = (
    rb"|0[xXoObB][0-9A-Fa-f_]++"
    + _NO_JUNK
    + rb"|[0-9][0-9_.]*+(?:[eE][+-]?[0-9]++)?+"
    + _NO_JUNK
    + rb"|\$[0-9]++"
    + _NO_JUNK
)
_SIGNS = rb"""|::|:=|:(?![A-Za-z0-9_'"{\x80-\xff])|-(?!-)|/(?!\*)|\r(?=\n)"""
_WORDS = rb"|" + _WORD + rb"""(?!['"&])"""
_NAMES = rb'|"[^"]*+"'
# Ending and opening again at each quote reads a doubled quote as psql does, without escapes.
_STRINGS = rb"|'[^']*+'"


def _run(*parts: bytes) -> re.Pattern[bytes]:
    """Return the pattern of many tokens; its group has the last one."""
    return re.compile(rb"(" + _QUIET + _NUMBERS + _SIGNS + b"".join(parts) + rb")++")


RUN = _run(_WORDS, _NAMES, _STRINGS)
ESCAPING_RUN = _run(_WORDS, _NAMES)
"""Without standard_conforming_strings, where a string can have escapes."""
WATCHED_RUN = _run(_NAMES)
"""Where each word counts."""

TOKEN = re.compile(
    rb"(?P<comment>--)|(?P<block>/\*)"
    rb"|(?P<tag>\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+)?\$)"
    rb"|(?P<escaped>[eE]')|(?P<unicode>[uU]&')|(?P<plain>[bBxX]')|(?P<quote>')"
    rb'|(?P<name>(?:[uU]&)?")'
    rb"|(?P<open>\()|(?P<close>\))|(?P<end>;)|(?P<command>\\)"
    rb"""|(?P<variable>:(?=[A-Za-z0-9_'"{\x80-\xff]))|(?P<word>"""
    + _WORD
    + rb")|(?P<dollar>\$(?![0-9]))"
)
OPEN_TAG = re.compile(rb"\$[A-Za-z0-9_\x80-\xff]*+\Z")
SPACE = re.compile(rb"(?:[ \t\n\f]|\r(?=\n))++")
ESCAPED = re.compile(rb"(?:[^'\\]|\\.|'')++", re.DOTALL)
COMMENT_BORDER = re.compile(rb"/\*|\*/")
LINE_END = re.compile(rb"[\r\n]")
BLANK_REST = re.compile(rb"[ \t\f]*+\r?\n")
END_OF_ROWS = re.compile(rb"\\\.\r?\n")
LAST_ROW = re.compile(rb"\n(?=\\\.\r?\n)")

_NAME = rb'(?:"(?:[^"]|"")*+"|' + _WORD + rb")"
_COPY = (
    rb"COPY\b\s*+(?:BINARY\b\s*+)?(?:\(|"
    + _NAME
    + rb"(?:\s*+\.\s*+"
    + _NAME
    + rb')*+\s*+(?:\((?:[^()"]|"[^"]*+")*+\)\s*+)?'
    rb"(?:(?P<input>FROM\s*+(?:STDIN|STDOUT)\b)"
    rb"|TO\s*+(?:STDIN|STDOUT)\b|(?:FROM|TO)\b\s*+(?:PROGRAM\b\s*+)?(?:E?'|U&'|\$)))"
)
_COPIES = re.compile(_COPY, re.IGNORECASE)
# In front of the first comment, this pairs quotes as psql does.
_QUOTES = re.compile(rb"\"(?:[^\"]|\"\")*+\"|'(?:[^']|'')*+'")


def copies_from_client(statement: bytes) -> bool | None:
    """Return whether a COPY statement reads rows behind it; None if that is not certain.

    STDIN and STDOUT mean the same to PostgreSQL. Source: src/backend/parser/gram.y, copy_file_name.
    """
    outside = _QUOTES.sub(b"", statement)
    if b"--" in outside or b"/*" in outside:
        return None
    match = _COPIES.match(statement)
    return None if match is None else match["input"] is not None
