"""Output of the user's `list` command: a JSON array with an object for each backup.

docs/command.md describes it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.json_answer import Answer, AnswerError, understood
from pytest_pgrestore.sources.json_answer import parse as parse_json

REQUIRED = ("label", "server_major", "stopped_at", "start_lsn", "start_file", "stop_lsn")
OPTIONAL = ("started_at", "kind", "system_identifier", "size_bytes", "chain")
_KINDS = ("full", "differential", "incremental")
_ZONE = re.compile(r"(?:Z|[+-]\d\d(?::?\d\d){0,2})$")
_NAMED = 20
"""Most mistakes that a message names."""

_LONGEST_KEY = 100
"""Characters of an unknown key that a message shows."""


def parse(text: str, location: str) -> list[tuple[Backup, str]]:
    """Return the backups of the list, oldest first, each with the WAL segment in which it begins.

    Args:
        text: Output of the command.
        location: Where the backups are, in words.

    Raises:
        HarnessError: The output has mistakes; the message names all of them.
    """
    with understood(
        "the answer of the list command is not understood",
        hint="let it print a JSON list with an object for each backup; [] where there is none.",
    ):
        rows = list(parse_json(text or "[]").values())
    mistakes: list[str] = []
    found = [entry for row in rows if (entry := _entry(row, location, mistakes)) is not None]
    labels = Counter(backup.label for backup, _ in found)
    mistakes += [
        f"two backups are called {label!r}" for label in sorted(labels) if labels[label] > 1
    ]
    if mistakes:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        more = "; ..." if mistakes[_NAMED:] else ""
        raise HarnessError(
            f"the list command printed {count}: {'; '.join(mistakes[:_NAMED])}{more}",
            hint=f"let it print each backup with {', '.join(REQUIRED)}.",
        )
    return sorted(found, key=lambda entry: entry[0].stopped_at or datetime.min.replace(tzinfo=UTC))


def _entry(row: Answer, location: str, mistakes: list[str]) -> tuple[Backup, str] | None:
    """Return one backup of the list; None if it has mistakes, which are added to `mistakes`."""
    try:
        label = row["label"].value if "label" in dict(row.items()) else None
        if isinstance(label, str):
            row = Answer(row.value, f"backup {label[:_LONGEST_KEY]!a}")
        given = dict(row.items())
    except AnswerError as exc:
        mistakes.append(str(exc))
        return None
    before = len(mistakes)
    mistakes += [f"{row.place} lacks {key}" for key in REQUIRED if key not in given]
    read: dict[str, Any] = {}
    for key, value in given.items():
        if key not in _VALUES:
            mistakes.append(f"{row.place} has the unknown key {key[:_LONGEST_KEY]!r}")
            continue
        try:
            # null for an optional key is the same as no key.
            if key in REQUIRED or value.value is not None:
                read[key] = _VALUES[key](value)
        except AnswerError as exc:
            mistakes.append(str(exc))
    if len(mistakes) > before:
        return None
    start_file: str = read.pop("start_file")
    backup = Backup(
        location=location,
        form="command",
        timeline=int(start_file[:8], 16),
        **({"kind": "full"} | read),
    )
    return backup, start_file


def _kind(value: Answer) -> str:
    found = value.text()
    if found not in _KINDS:
        raise AnswerError(f"{value.place} is none of {', '.join(_KINDS)}")
    return found


def _moment(value: Answer) -> datetime:
    """Return a time; one without a zone may be any hour of a day."""
    found = value.moment()
    if not _ZONE.search(value.text()):
        raise AnswerError(f"{value.place} is {value.value!r}: a time needs a zone")
    return found


def _label(value: Answer) -> str:
    """Return the name of a backup, which becomes part of an argument of the `fetch` command.

    It may be an address with slashes, for a tool that calls its backups like that.
    """
    for part in value.text().split("/"):
        if part:
            Answer(part, value.place).name()
    return value.text()


_VALUES: Mapping[str, Callable[[Answer], Any]] = {
    "label": _label,
    "server_major": Answer.major,
    "stopped_at": _moment,
    "started_at": _moment,
    "start_lsn": Answer.lsn,
    "stop_lsn": Answer.lsn,
    "start_file": Answer.segment,
    "kind": _kind,
    "system_identifier": Answer.number,
    "size_bytes": Answer.size,
    "chain": lambda value: tuple(_label(label) for label in value.values()),
}
"""Each key that an object may have, and what reads its value."""
