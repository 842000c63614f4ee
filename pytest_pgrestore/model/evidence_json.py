"""The JSON of a run's evidence, written. Imports only evidence.

Reading it back, and its JSON Schema, are in ``evidence/file.py``.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import Evidence


def to_json(evidence: Evidence) -> str:
    """Return `evidence` as indented JSON, with verdicts and sums beside what they are of."""
    document = dataclasses.asdict(evidence)
    document["verdict"] = evidence.verdict()
    for entry, drill in zip(document["drills"], evidence.drills, strict=True):
        entry["verdict"] = drill.verdict()
        entry["restore_seconds"] = drill.restore_seconds()
    return json.dumps(_encodable(document), indent=2, default=_plain) + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"evidence holds plain data only, not {type(value).__name__}")


def _encodable(value: Any) -> Any:
    """Return `value` with lone surrogates escaped.

    Strict readers of JSON, ours too, refuse a whole document that has one.
    """
    if isinstance(value, str):
        return value.encode("utf-8", errors="backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_encodable(name): _encodable(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(entry) for entry in value]
    return value
