"""What dbt found, read from its ``run_results.json``.

Source: dbt's documentation, "Run results JSON file" (v6).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import AssertionFailed, HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNTED = re.compile(r"Got \d+ results?, configured to (?:fail|warn) if [^\n]{1,100}")
"""The message of a test that found rows; the condition is that of the project."""

_MISSING = re.compile(
    r'(?:relation "(?P<relation>[^"\n]+)"|column (?P<column>\S+)|schema "(?P<schema>[^"\n]+)")'
    r" does not exist"
)
"""The second line of a "Database Error": the SQL is the project's, and this part of it is gone."""

_KIND = re.compile(r"[A-Z]\w+ Error(?= in )")


@dataclass(frozen=True, slots=True)
class DbtResult:
    """What dbt says of one test.

    Attributes:
        name: As dbt shows it.
        status: dbt's word: pass, fail, warn, error, skipped.
        told: What may be shown of it; never a value.
        is_missing: Whether a table or column that it asks for is not in the backup.
    """

    name: str
    status: str
    told: str
    is_missing: bool

    def judge(self) -> None:
        """Raise what the status means.

        Raises:
            AssertionFailed: Rows were found that must not be there, or something is missing.
            HarnessError: dbt could not run the test.
        """
        if self.status == "pass":
            return
        if self.status in {"fail", "warn"} or self.is_missing:
            raise AssertionFailed(self.told)
        raise HarnessError(
            f"dbt could not run the test: {self.told}",
            hint=f"run `dbt test --select {self.name}` by hand.",
        )


def read_results(text: str) -> Iterator[DbtResult]:
    """Yield what ``run_results.json`` says of each test.

    Raises:
        HarnessError: It has another form, or a hook of the project failed.
    """
    try:
        for result in json.loads(text)["results"]:
            kind, _, name, *_ = f"{result['unique_id']}..".split(".")
            status, message = str(result["status"]), str(result["message"] or "")
            if kind == "operation" and status not in {"success", "pass"}:
                raise HarnessError(
                    f"the project's hook {name} failed", hint="correct it, or leave it out."
                )
            if kind == "test":
                yield _result(name, status, message, str(result.get("compiled_code") or ""))
    except (ValueError, LookupError, TypeError) as exc:
        raise HarnessError(
            f"dbt's run_results.json has a form that is not known ({type(exc).__name__})",
            hint="use dbt-core 1.9 to 1.11.",
        ) from None


def _result(name: str, status: str, message: str, sql: str) -> DbtResult:
    if status == "error":
        _, _, rest = message.partition("\n")
        found = _MISSING.match(rest.strip())
        # What stands in the SQL of the test is no value.
        if found is not None and _name_in(found) in sql.replace('"', ""):
            return DbtResult(name, status, found[0], is_missing=True)
        kind = _KIND.match(message)
        return DbtResult(name, status, kind[0] if kind else status, is_missing=False)
    counted = _COUNTED.match(message)
    return DbtResult(name, status, counted[0] if counted else status, is_missing=False)


def _name_in(found: re.Match[str]) -> str:
    return str(found["relation"] or found["column"] or found["schema"]).replace('"', "")
