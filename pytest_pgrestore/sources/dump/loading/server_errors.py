"""The errors that the server itself logged while a tool ran: their SQLSTATE, and who raised them.

A dump writes what it likes into messages: ``RAISE 'out of memory'`` looks like the server's own,
and pg_restore shows no SQLSTATE. In the server's log a message cannot look like another one, and
its LOCATION names the C function that reported it.

Source: src/backend/utils/error/elog.c, send_message_to_server_log and append_with_tabs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.system.regular_file import NotRegularError, open_regular

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = "-c log_min_messages=error -c log_error_verbosity=verbose"
"""Startup options of a session whose errors are read. The text of values is never saved."""

_READ_BYTES = 8 * 1024 * 1024
"""Most that is read of a log: the first errors are the causes."""

_MOST = 10_000
_LINE = re.compile(
    r"\S+ \S+ \S+ \[(?P<process>\d+)\] (?P<state>[0-9A-Z]{5}) (?P<label>[A-Z]+):  (?P<text>.*)"
)
_PLACE = re.compile(r" at character \d+$")
"""The log's own addition for errors of a statement's text."""

_LEVELS = frozenset({"ERROR", "FATAL", "PANIC"})
_LANGUAGES = ("pl_exec.c", "plperl", "plpy_", "pltcl")
"""Files of languages in which a dump's functions choose message and SQLSTATE."""


@dataclass(frozen=True, slots=True)
class ServerError:
    """One error of the server.

    Attributes:
        state: Its SQLSTATE.
        text: The first line of its message.
        own: Whether the server reported it itself, and no function of the dump.
    """

    state: str
    text: str
    own: bool = True


def size_of(log: Path) -> int:
    """Return how long the log is now; 0 if it cannot be read."""
    try:
        with open_regular(log, follow=False) as stream:
            return stream.seek(0, 2)
    except (OSError, NotRegularError):
        return 0


def logged_since(log: Path, offset: int) -> list[ServerError]:
    """Return the errors in the log behind `offset`, in order."""
    try:
        with open_regular(log, follow=False) as stream:
            stream.seek(offset)
            text = stream.read(_READ_BYTES).decode("utf-8", errors="replace")
    except (OSError, NotRegularError):
        return []
    return parse(text)


def parse(text: str) -> list[ServerError]:
    """Return the errors in the text of a log. Without its LOCATION, an error is not the server's.

    A dump can switch the LOCATION off for its own session.
    """
    found: list[ServerError] = []
    last: dict[str, int] = {}
    for line in text.split("\n"):
        match = _LINE.match(line)
        if match is None:
            continue
        process, state, label = match["process"], match["state"], match["label"]
        if label in _LEVELS:
            if len(found) == _MOST:
                break
            last[process] = len(found)
            message = _PLACE.sub("", match["text"].removeprefix(f"{state}: "))
            found.append(ServerError(state, message, own=False))
        elif label == "LOCATION" and process in last:
            place = last.pop(process)
            file = match["text"].rpartition(", ")[2]
            own = not file.startswith(_LANGUAGES)
            found[place] = ServerError(found[place].state, found[place].text, own=own)
    return found
