"""Evidence as a document: written, read back, described by a schema and by the docs."""

from __future__ import annotations

import dataclasses
import json
import types
from datetime import datetime
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import jsonschema
import pytest

from pytest_pgrestore.evidence import file as reading
from pytest_pgrestore.evidence.file import json_schema, load, schema_text
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.evidence import SCHEMA_VERSION, Evidence
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.model.verdict import Verdict
from tests.project import ROOT
from tests.unit.evidence_samples import every_sample, failed, healthy_pitr, run

SCHEMA = Path(reading.__file__).with_name("evidence.schema.json")
DOCS = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
RENEW = (
    'python -c "from pytest_pgrestore.evidence.file import schema_text;'
    ' print(schema_text(), end=str())"'
    " > pytest_pgrestore/evidence/evidence.schema.json"
)


def paths_of(kind: type, prefix: str = "") -> list[str]:
    """Return the path of every field of a dataclass and of those within it."""
    found = []
    for name, annotation in get_type_hints(kind).items():
        arguments = [
            argument for argument in get_args(annotation) if argument not in (type(None), Ellipsis)
        ]
        listed = get_origin(annotation) is tuple
        inner = arguments[0] if listed or isinstance(annotation, types.UnionType) else annotation
        found.append(f"{prefix}{name}")
        if dataclasses.is_dataclass(inner) and isinstance(inner, type):
            found += paths_of(inner, f"{prefix}{name}{'[]' if listed else ''}.")
    return found


def validator() -> jsonschema.Draft202012Validator:
    """Return what checks documents against the shipped schema, formats included."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


@every_sample
def test_a_document_is_read_back_as_it_was_written(evidence: Evidence) -> None:
    """Reports made later must be those of today: the page has the digest of this text."""
    text = to_json(evidence)

    assert to_json(load(text)) == text


def test_reading_restores_every_type() -> None:
    """Times are times again, and tuples tuples: reports compare and subtract them."""
    evidence = run(healthy_pitr())

    assert load(to_json(evidence)) == evidence
    assert isinstance(load(to_json(evidence)).started_at, datetime)


@every_sample
def test_a_written_document_fits_the_shipped_schema(evidence: Evidence) -> None:
    """Programs of others read it by that schema."""
    validator().validate(json.loads(to_json(evidence)))


@every_sample
def test_the_schema_knows_every_key_that_is_written(evidence: Evidence) -> None:
    """It allows unknown keys, so a forgotten one would not be noticed by validation."""
    schema = json_schema()
    strict = json.loads(json.dumps(schema))
    for part in (strict, *strict["$defs"].values()):
        if part["type"] == "object":
            part["additionalProperties"] = False

    jsonschema.Draft202012Validator(strict).validate(json.loads(to_json(evidence)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("run_id"),
        lambda document: document.pop("verdict"),
        lambda document: document.update(verdict="green"),
        lambda document: document.update(schema_version=SCHEMA_VERSION + 1),
        lambda document: document["drills"][0].pop("restore_seconds"),
        lambda document: document["drills"][0].update(started_at=5),
        lambda document: document["drills"][0]["phases"][0].update(seconds="long"),
    ],
)
def test_the_schema_refuses_a_spoilt_document(spoil: Any) -> None:
    """A schema that takes everything describes nothing."""
    document = json.loads(to_json(run(healthy_pitr())))
    spoil(document)

    with pytest.raises(jsonschema.ValidationError):
        validator().validate(document)


def test_the_shipped_schema_is_up_to_date() -> None:
    """It is generated; whoever adds a field renews it."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), f"stale, renew it with: {RENEW}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ('{"schema_version": 1', "not JSON"),
        ("[]", "no schema_version"),
        ("{}", "no schema_version"),
        ('{"schema_version": true}', "no schema_version"),
        ('{"schema_version": 99}', "schema version 99, and this version reads up to 1"),
        ('{"schema_version": 1}', "run_id: "),
    ],
)
def test_a_bad_file_is_a_usage_error_with_a_hint(text: str, says: str) -> None:
    """`pgrestore render` is given whatever lies around."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert says in caught.value.problem
    assert caught.value.hint.endswith(".")


def test_what_is_worked_out_is_not_believed() -> None:
    """A verdict edited by hand must not turn a red run green."""
    document = json.loads(to_json(run(failed())))
    document["verdict"] = document["drills"][0]["verdict"] = "passed"
    document["drills"][0]["restore_seconds"] = 1.0

    assert load(json.dumps(document)).verdict() is Verdict.FAILED


def test_fields_of_a_later_version_are_left_out() -> None:
    """Additions alone do not raise the schema version."""
    document = json.loads(to_json(run(healthy_pitr())))
    document["weather"] = document["drills"][0]["weather"] = "fine"

    assert load(json.dumps(document)) == run(healthy_pitr())


def test_every_field_is_documented_and_no_other() -> None:
    """An auditor asks what a figure means years after its author has left."""
    computed = ["verdict", "drills[].verdict", "drills[].restore_seconds"]
    table = DOCS.partition("## evidence.json")[2]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]

    assert sorted(row[1].strip(" `") for row in rows) == sorted(paths_of(Evidence) + computed)
    assert all(row[2].strip() and row[3].strip() for row in rows)
