"""Evidence read back from JSON, and the JSON Schema of what is written. Imports only values."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.evidence import SCHEMA_VERSION, Evidence

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

SCHEMA_URI = "https://json-schema.org/draft/2020-12/schema"

_MISTAKES_SHOWN = 10
"""Mistakes of a document that the error names."""

_COMPUTED = {
    "Evidence": {
        "verdict": {
            "$ref": "#/$defs/Verdict",
            "description": "The worst of its drills and problems.",
        }
    },
    "DrillRecord": {
        "verdict": {"$ref": "#/$defs/Verdict", "description": "The worst of its parts."},
        "restore_seconds": {
            "type": "number",
            "description": "Sum of the phases that count toward the RTO.",
        },
    },
}
"""Values that `to_json` writes beside the fields. A reader computes them again."""


def load(text: str) -> Evidence:
    """Return the evidence that `text` holds.

    Its sums and verdicts are computed again. Unknown fields are left out.

    Raises:
        ConfigError: The text is no evidence, damaged, or of a newer version.
    """
    from pydantic import ValidationError

    try:
        document = json.loads(text)
    except ValueError as exc:
        raise ConfigError(
            f"the evidence is not JSON: {exc}",
            hint="give the evidence.json of a run, whole and unchanged.",
        ) from exc
    _check_version(document)
    try:
        return _adapter().validate_python(document)
    except ValidationError as exc:
        raise ConfigError(
            f"the evidence does not fit its schema: {_mistakes(exc)}",
            hint="give the evidence.json of a run, whole and unchanged; its schema is"
            " evidence/evidence.schema.json.",
        ) from exc


@cache
def _adapter() -> TypeAdapter[Evidence]:
    """Return what validates; it takes 10 ms and more to make."""
    from pydantic import TypeAdapter

    return TypeAdapter(Evidence)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document that `to_json` writes.

    Unknown fields are allowed, because fields may be added without a new version.
    """
    schema = _adapter().json_schema()
    schema["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    schema["required"] = ["schema_version", *schema["required"]]
    for name, computed in _COMPUTED.items():
        target = schema if name == "Evidence" else schema["$defs"][name]
        target["properties"] |= computed
        target["required"] = [*target["required"], *computed]
    return {"$schema": SCHEMA_URI, **schema}


def schema_text() -> str:
    """Return the schema as it is shipped, in ``evidence/evidence.schema.json``."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _check_version(document: Any) -> None:
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigError(
            "the JSON is no evidence: it names no schema_version",
            hint="give the evidence.json that a run wrote.",
        )
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"the evidence has schema version {version}, and this version reads up to"
            f" {SCHEMA_VERSION}",
            hint="upgrade pytest-pgrestore.",
        )


def _mistakes(error: ValidationError) -> str:
    found = error.errors(include_input=False)
    shown = [f"{_path(one['loc'])}: {one['msg']}" for one in found[:_MISTAKES_SHOWN]]
    if len(found) > len(shown):
        shown.append(f"and {len(found) - len(shown)} more")
    return "; ".join(shown)


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)
