"""What the words and parentheses of a statement say about its end.

A semicolon does not end a statement inside parentheses, nor inside BEGIN ... END of a function.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.loading.psql import tokens

if TYPE_CHECKING:
    from re import Pattern

_KNOWN = 4
"""Words of a statement that show whether it makes a function."""

_ROUTINE = re.compile(rb"create (?:or replace )?(?:function|procedure) ")


class StatementWords:
    """Counts along one statement.

    Source: src/fe_utils/psqlscan.l, rule {identifier}; psql 14 and newer.

    Attributes:
        first: Its first word, in lower case; empty before it.
    """

    def __init__(self) -> None:
        self.first = b""
        self._words = b""
        self._count = 0
        self._routine = False
        self._watching = True
        self._parentheses = 0
        self._begins = 0

    @property
    def complete(self) -> bool:
        """Whether a semicolon ends the statement here."""
        return self._parentheses == 0 and self._begins == 0

    def run(self, *, standard: bool) -> Pattern[bytes]:
        """Return the pattern for the tokens that do not count here."""
        if self._watching:
            return tokens.WATCHED_RUN
        return tokens.RUN if standard else tokens.ESCAPING_RUN

    def note(self, kind: str, text: bytes) -> None:
        """Count a token: ``open``, ``close`` or ``word``."""
        if kind == "open":
            self._parentheses += 1
        elif kind == "close":
            self._parentheses = max(0, self._parentheses - 1)
        elif self._watching:
            self._note_word(text.lower())

    def _note_word(self, word: bytes) -> None:
        self.first = self.first or word
        if self._count < _KNOWN:
            self._count += 1
            self._words += word + b" "
            self._routine = _ROUTINE.match(self._words) is not None
        if self._routine and self._parentheses == 0:
            self._note_block(word)
        self._watching = self._routine or (self.first == b"create" and self._count < _KNOWN)

    def _note_block(self, word: bytes) -> None:
        if word == b"begin" or (word == b"case" and self._begins):
            self._begins += 1
        elif word == b"end" and self._begins:
            self._begins -= 1
