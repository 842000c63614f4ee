"""What dbt says of its tests: verdicts, and no value of a row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_pgrestore.assertions.dbt_results import read_results
from pytest_pgrestore.model.errors import AssertionFailed, HarnessError

SQL = 'select total from "shop"."public"."big_orders" where total is null'


def written(**keys: Any) -> str:
    """Return a ``run_results.json`` with one result."""
    result = {"unique_id": "test.shop.not_null.b3d6", "message": None, "compiled_code": SQL}
    return json.dumps({"results": [{**result, **keys}]})


def error(line: str) -> str:
    """Return dbt's message for an error of the server (dbt-core 1.11)."""
    return f"Database Error in test not_null (models/schema.yml)\n  {line}\n  LINE 18: from ..."


@pytest.mark.parametrize(
    ("status", "message", "told", "kind"),
    [
        (
            "fail",
            "Got 3 results, configured to fail if != 0",
            "Got 3 results, configured to fail if != 0",
            AssertionFailed,
        ),
        (
            "warn",
            "Got 1 result, configured to warn if >10",
            "Got 1 result, configured to warn if >10",
            AssertionFailed,
        ),
        ("fail", "secret", "fail", AssertionFailed),
        (
            "error",
            error('relation "public.big_orders" does not exist'),
            'relation "public.big_orders" does not exist',
            AssertionFailed,
        ),
        ("error", error("column total does not exist"), "column total does not", AssertionFailed),
        ("error", error('relation "secret" does not exist'), "Database Error", HarnessError),
        (
            "error",
            error('invalid input syntax for type integer: "secret"'),
            "Database Error",
            HarnessError,
        ),
        ("error", "secret", "error", HarnessError),
        ("skipped", None, "skipped", HarnessError),
        ("partial success", None, "partial success", HarnessError),
    ],
)
def test_a_status_is_a_verdict(
    status: str, message: str | None, told: str, kind: type[Exception]
) -> None:
    """What is missing in the backup is a finding; a test that did not run is none."""
    (result,) = read_results(written(status=status, message=message))

    with pytest.raises(kind) as caught:
        result.judge()

    assert result.name == "not_null"
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_test_that_passes_is_silent() -> None:
    """And a hook that succeeds is no test."""
    (result,) = read_results(written(status="pass"))

    result.judge()

    assert list(read_results(written(status="success", unique_id="operation.shop.hook-0"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"results": [{}]}',
        '{"results": [1]}',
        written(status="error", unique_id="operation.shop.hook-0"),
    ],
)
def test_what_is_not_understood_is_not_verified(text: str) -> None:
    """Another version of dbt, or a hook before the tests that failed."""
    with pytest.raises(HarnessError):
        list(read_results(text))
