"""Output of the user's `list` command: a JSON array with an object for each backup.

docs/command.md describes it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.wal import Lsn, is_segment_name

REQUIRED = ("label", "server_major", "stopped_at", "start_lsn", "start_file", "stop_lsn")
OPTIONAL = ("started_at", "kind", "system_identifier", "size_bytes", "chain")
_KINDS = ("full", "differential", "incremental")


def parse(text: str, location: str) -> list[tuple[Backup, str]]:
    """Return the backups of the list, oldest first, each with the WAL segment in which it begins.

    Args:
        text: Output of the command.
        location: Where the backups are, in words.

    Raises:
        HarnessError: The output has mistakes; the message names all of them.
    """
    try:
        rows = json.loads(text or "[]")
    except ValueError as exc:
        raise HarnessError(
            f"the list command printed no JSON: {exc}",
            hint="docs/command.md says what it is to print.",
        ) from None
    if not isinstance(rows, list):
        raise HarnessError(
            "the list command printed no JSON array", hint="print [] where there is no backup."
        )
    mistakes: list[str] = []
    found = [
        entry
        for number, row in enumerate(rows)
        if (entry := _entry(row, number, location, mistakes)) is not None
    ]
    labels = [backup.label for backup, _ in found]
    mistakes += [
        f"two backups are called {label!r}"
        for label in sorted(set(labels))
        if labels.count(label) > 1
    ]
    if mistakes:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise HarnessError(
            f"the list command printed {count}: {'; '.join(mistakes)}",
            hint="docs/command.md says what it is to print.",
        )
    return sorted(found, key=lambda entry: entry[0].stopped_at or datetime.min.replace(tzinfo=UTC))


def _entry(row: Any, number: int, location: str, mistakes: list[str]) -> tuple[Backup, str] | None:
    """Return one backup of the list; None if it has mistakes, which are added to `mistakes`."""
    if not isinstance(row, dict):
        mistakes.append(f"entry {number} is no object")
        return None
    place = f"backup {row.get('label', number)!r}"
    mistakes += [f"{place} lacks {key}" for key in REQUIRED if key not in row]
    mistakes += [
        f"{place} has the unknown key {key}" for key in row if key not in REQUIRED + OPTIONAL
    ]
    read: dict[str, Any] = {}
    for key, value in row.items():
        try:
            read[key] = _value(key, value)
        except (ValueError, TypeError, ConfigError) as exc:
            mistakes.append(f"{place}: {key} is {value!r}: {exc}")
    if any(key not in read for key in REQUIRED):
        return None
    start_file: str = read.pop("start_file")
    backup = Backup(
        location=location,
        form="command",
        timeline=int(start_file[:8], 16),
        **({"kind": "full"} | read),
    )
    return backup, start_file


def _value(key: str, value: Any) -> Any:
    """Return a value of the list as `Backup` takes it.

    Raises:
        ConfigError: An LSN has another form.
        TypeError: The value has another type.
        ValueError: The value has another form.
    """
    match key:
        case "stopped_at" | "started_at":
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise ValueError("a time needs a zone")
            return moment.astimezone(UTC)
        case "start_lsn" | "stop_lsn":
            return Lsn.parse(value)
        case "server_major" | "system_identifier" | "size_bytes":
            return int(value)
        case "start_file" if not is_segment_name(str(value)):
            raise ValueError("not the name of a WAL segment")
        case "kind" if value not in _KINDS:
            raise ValueError(f"write one of {', '.join(_KINDS)}")
        case "chain":
            return tuple(str(label) for label in value)
    return value
