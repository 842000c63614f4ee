"""The two other kinds of files of a history: what was pruned, and what damage was accepted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STAMP = r"(?P<at>\d{8}T\d{6}Z)-"
RUN = re.compile(rf"{_STAMP}(?P<run>[A-Za-z0-9_.-]+)(?<!\.pruned)(?<!\.accepted)\.json")
PRUNED = re.compile(rf"{_STAMP}[A-Za-z0-9_.-]+\.pruned\.json")
ACCEPTED = re.compile(rf"{_STAMP}[A-Za-z0-9_.-]+\.accepted\.json")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What somebody decided about damage.

    Attributes:
        at: When.
        reason: In their words.
        damage: What was missing or damaged: a sentence each, by digest.
    """

    at: datetime
    reason: str
    damage: Mapping[str, str]


def pruned_bytes(at: datetime, digests: Mapping[str, str]) -> bytes:
    """Return the record of files that were pruned: their digests by their names."""
    return _to_bytes({"pruned_at": at.isoformat(), "sha256": dict(digests)})


def accepted_bytes(found: Acceptance) -> bytes:
    """Return the record of damage that was accepted."""
    accepted = {"accepted_at": found.at.isoformat(), "reason": found.reason}
    return _to_bytes({**accepted, "sha256": dict(found.damage)})


def pruned_in(data: bytes) -> dict[str, str]:
    """Return the digests of what was pruned, by name.

    Raises:
        ConfigError: It is no such record.
    """
    return _texts(_document(data))


def accepted_in(data: bytes) -> Acceptance:
    """Return what was accepted.

    Raises:
        ConfigError: It is no such record.
    """
    document = _document(data)
    try:
        at, reason = datetime.fromisoformat(document["accepted_at"]), document["reason"]
    except (ValueError, LookupError, TypeError):
        raise ConfigError(_NONE, hint=_RESTORE) from None
    if at.tzinfo is None or not isinstance(reason, str):
        raise ConfigError(_NONE, hint=_RESTORE)
    return Acceptance(at, reason, _texts(document))


_NONE = "it is no record of a history"
_RESTORE = "restore the file from a copy of the history."


def _to_bytes(document: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(document, ensure_ascii=False)}\n".encode()


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ConfigError(_NONE, hint=_RESTORE)
    return document


def _texts(document: Mapping[str, Any]) -> dict[str, str]:
    found = document.get("sha256")
    texts = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    if not texts or not isinstance(found, dict):
        raise ConfigError(_NONE, hint=_RESTORE)
    return found
