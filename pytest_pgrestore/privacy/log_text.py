"""The text of a log as it is saved beside the reports: without row values, and visible."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.visible import visible_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTRY = re.compile(
    r"(?P<begin>.{0,200}?(?:\b(?P<state>\w{5}) )?"
    r"(?P<label>DETAIL|HINT|QUERY|CONTEXT|STATEMENT|ERROR|WARNING|NOTICE|INFO|LOG)):  "
)
"""First line of a message or of a part of it; log_line_prefix is set in `quarantine/settings.py`.

Source: PostgreSQL, src/backend/utils/error/elog.c, send_message_to_server_log.
"""

_PRIVATE_PARTS = frozenset({"DETAIL", "QUERY", "CONTEXT", "STATEMENT"})
_PARTS = _PRIVATE_PARTS | {"HINT"}

_PRIVATE_CLASSES = ("22", "P0", "42601")
"""Classes of SQLSTATE whose messages quote values: data exception, PL/pgSQL's RAISE, and
syntax errors, where rows are read as SQL."""

_AT_RAISE = re.compile(r" at RAISE\b")
"""In the CONTEXT of a RAISE that chose its own SQLSTATE: only this shows what it is."""

_LONGEST = 4000
"""Characters that are kept of a line."""

_NOT_KEPT = "(not kept: it may quote rows)"


OPEN = "ready to accept connections"
"""The words of a server's log after which clients can log in."""


def without_values(text: str, keep_until: str = OPEN) -> str:
    """Return the log with everything blanked that may quote rows, and each line made visible.

    Args:
        text: The log.
        keep_until: Lines before these words stay as they are: no client could log in yet.
    """
    head, mark, rest = text.partition(keep_until)
    kept = (_kept(message) for message in _messages(_entries(rest)))
    return visible_lines(
        head + mark + "\n".join(_short(line) for lines in kept for line in lines), limit=None
    )


def _short(line: str) -> str:
    """Return at most `_LONGEST` characters of a line: a backup chooses how long a message is."""
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ... (cut)"


def _entries(text: str) -> Iterator[list[str]]:
    """Yield each line together with the lines after it that begin with a tab.

    Source: src/backend/utils/error/elog.c, append_with_tabs. Line by line, so the time is linear: a
    hostile backup chooses what its messages look like.
    """
    entry: list[str] = []
    for line in text.split("\n"):
        if entry and not line.startswith("\t"):
            yield entry
            entry = []
        entry.append(line)
    yield entry


def _messages(entries: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """Yield the entries of each message: the message itself, and then its parts."""
    message: list[list[str]] = []
    for entry in entries:
        found = _ENTRY.match(entry[0])
        if message and (found is None or found["label"] not in _PARTS):
            yield message
            message = []
        message.append(entry)
    yield message


def _kept(message: list[list[str]]) -> Iterator[str]:
    """Yield the lines of a message, those that may quote rows replaced."""
    found = [_ENTRY.match(entry[0]) for entry in message]
    raised = any(
        match is not None and match["label"] == "CONTEXT" and _AT_RAISE.search("\n".join(entry))
        for match, entry in zip(found, message, strict=True)
    )
    for match, entry in zip(found, message, strict=True):
        if match is not None and (raised or _is_private(match)):
            yield f"{match['begin']}:  {_NOT_KEPT}"
        else:
            yield from entry


def _is_private(match: re.Match[str]) -> bool:
    return match["label"] in _PRIVATE_PARTS or (match["state"] or "").startswith(_PRIVATE_CLASSES)
