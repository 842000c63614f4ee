"""Error messages of psql and pg_restore, without row values and passwords.

Messages are English because the tools run with LC_MESSAGES=C. Source: PostgreSQL docs, "Error
Message Style Guide" for levels; src/bin/pg_dump/pg_backup_archiver.c for pg_restore's messages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

MOST = 10_000
"""Errors that are counted. A dump can make as many as it likes."""

LONGEST = 300
"""Characters kept of one message. That is enough for a cause, and too little for a statement."""

_FIRST_LINE = re.compile(
    r"^(?:psql|pg_restore)(?::<stdin>:(?P<line>\d+))?: "
    r"(?P<level>error|ERROR|FATAL|PANIC|fatal|warning): +(?P<text>.*)$"
)
_SERVER_LINE = re.compile(r"^(?:ERROR|FATAL|PANIC): +(?P<text>.*)$")
_SERVER_PART = re.compile(r"^(?P<outer>.*?)(?:ERROR|FATAL|PANIC): +(?P<inner>.*)$")
_COPY_CONTEXT = re.compile(r"^CONTEXT: +COPY (?P<table>\"[^\"]+\"|[^,\s]+), line (?P<line>\d+)")
_FUNCTION_CONTEXT = re.compile(r"^CONTEXT: +(?:PL/\w+|SQL) function ")
_COMMAND = re.compile(
    r'^Command was: (?P<command>(?:[A-Z]+ +)+(?:"[^"]*"|[\w$]+)(?:\.(?:"[^"]*"|[\w$]+))?)'
)
"""The words of a command up to the first name. What follows may be a value or a secret.

The entry itself is only told with --verbose, a line for each of the others too.
"""
_CONSTRAINT = re.compile(r'^ +(?P<more>ADD CONSTRAINT (?:"[^"]*"|[\w$]+))')
"""The second line of an ALTER TABLE."""
_SECRET = re.compile(r"(password\s*=?\s*).*", re.IGNORECASE | re.DOTALL)
_CONNINFO = re.compile(r"\bCONNECTION\s+'.*", re.DOTALL)
# `invalid input syntax for type integer: "<value>"`, `value "<value>" is out of range`,
# `invalid byte sequence for encoding "UTF8": 0xe9 0x20`
_QUOTED_VALUE = re.compile(
    r"""(: )(?:".*"|0x[0-9a-f]{2}.*)$|(\bvalue )".*"(?= is out of range| for )""", re.DOTALL
)
# Where rows are read as SQL, the word that does not fit is a value.
_NEAR = re.compile(r'(\bat or near )".*"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error of a tool.

    Attributes:
        text: The message, without row values.
        where: Line of the input, table and row of a COPY, or the beginning of the command;
            empty if unknown.
        from_server: Whether the server reported it, and not the tool itself.
    """

    text: str
    where: str = ""
    from_server: bool = False

    def __str__(self) -> str:
        """Return the message and its place."""
        return f"{self.text} ({self.where})" if self.where else self.text


def redact(text: str) -> str:
    """Return `text` without row values and passwords, at most `LONGEST` characters."""
    text = _SECRET.sub(r"\1***", _CONNINFO.sub("CONNECTION ***", text))
    text = _NEAR.sub(r"\1(not shown)", text)
    text = _QUOTED_VALUE.sub(lambda match: f"{match[1] or match[2]}(not shown)", text)
    return _short(text)


def complaints(stderr: str) -> list[Complaint]:
    """Return every error in the output of a tool, in order. Warnings and notices are left out.

    DETAIL, STATEMENT and similar lines are left out, because they quote rows. Only table and line
    are kept of the CONTEXT of a COPY. The message of an error inside a function is left out: an
    index on the function shows it every row.
    """
    found: list[Complaint] = []
    for before, text in pairwise(["", *stderr.splitlines()]):
        match = _FIRST_LINE.match(text) or _SERVER_LINE.match(text)
        if match is not None:
            groups = match.groupdict()
            if groups.get("level") != "warning":
                if len(found) == MOST:
                    break
                line = groups.get("line")
                found.append(
                    Complaint(
                        _one(groups["text"]),
                        f"line {line}" if line else "",
                        groups.get("level") not in {"error", "fatal"}
                        or _SERVER_PART.match(groups["text"]) is not None,
                    )
                )
            continue
        if found and _FUNCTION_CONTEXT.match(text):
            found[-1] = replace(found[-1], text="an error inside a function, not shown")
            continue
        if found and (command := _command_in(before, text)):
            found[-1] = replace(found[-1], where=command)
        context = _COPY_CONTEXT.match(text)
        if context is not None and found:
            found[-1] = replace(found[-1], where=f"COPY {context['table']}, line {context['line']}")
    return found


def _command_in(before: str, text: str) -> str:
    """Return the beginning of the command that a line tells, with the line before it; or ""."""
    match = _COMMAND.match(text)
    if match is None and (more := _CONSTRAINT.match(text)) is not None:
        match = _COMMAND.match(before)
        return "" if match is None else _short(f"{match['command']} {more['more']}")
    return "" if match is None else _short(match["command"])


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _one(text: str) -> str:
    """Return the server's message out of a message of pg_restore or psql."""
    match = _SERVER_PART.match(text)
    if match is None:
        return redact(text)
    outer = match["outer"].strip().rstrip(":")
    inner = redact(match["inner"])
    return inner if outer in {"", "could not execute query"} else f"{redact(outer)}: {inner}"
