"""The keys of a drill file, ``drill_*.toml``, each checked.

Imports pydantic; therefore imported inside functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from pytest_pgrestore.assertions.dbt import Dbt
from pytest_pgrestore.assertions.question import Session
from pytest_pgrestore.assertions.table import AssertTable, Parameters, Severity, Text, Texts
from pytest_pgrestore.session.marker import HINT_TO_SOURCE, KEYS_OF_SOURCES
from pytest_pgrestore.settings.toml import Duration, Table

if TYPE_CHECKING:
    from collections.abc import Mapping


class DrillOfSuite(Table):
    """One drill of a file with several: an entry of the list `source`."""

    source: Text
    target: Text | None = None
    timeline: str | int | None = None
    inclusive: bool | None = None
    rto: Text | None = None
    rpo: Text | None = None
    database: Text | None = None


def _sources(value: Any) -> Any:
    """Return tables of drills: a text is a table with nothing else."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise ValueError(
            'a source, or a list of them, is expected; write "NAME" or ["NAME", "..."].'
        )
    return [{"source": one} if isinstance(one, str) else one for one in value]


class DrillTable(Table):
    """The keys of a drill file.

    Attributes:
        source: Of each drill that the same assertions are made on; most files have one.
        sql_file: SQL files that are an assertion each: patterns, from the directory of this file.
        tap: Scripts of pgTAP, likewise.
        dbt: A dbt project, whose tests are run.
        params: Parameters of all assertions.
        params_file: A TOML file with more of them.
        severity: Of all assertions that name none; likewise `timeout`, `as_role` and `set`.
    """

    elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(KEYS_OF_SOURCES, HINT_TO_SOURCE)

    source: Annotated[list[DrillOfSuite], BeforeValidator(_sources)] | None = None
    target: Text | None = None
    timeline: str | int | None = None
    inclusive: bool | None = None
    rto: Text | None = None
    rpo: Text | None = None
    database: Text | None = None
    severity: Severity | None = None
    timeout: Duration | None = None
    as_role: Text | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    params: Parameters = Field(default_factory=dict)
    params_file: Text | None = None
    sql_file: Texts | None = None
    tap: Texts | None = None
    dbt: Dbt | None = None
    assertions: list[AssertTable] = Field(default_factory=list, alias="assert")

    @model_validator(mode="after")
    def _asserts_something(self) -> DrillTable:
        elsewhere = (self.sql_file, self.tap, self.dbt)
        if not self.assertions and all(one is None for one in elsewhere):
            raise ValueError("no assertion; write an [[assert]], or name sql_file, tap or dbt.")
        return self

    def session(self) -> Session:
        """Return who asks, and how long, where an assertion does not say it."""
        return Session(self.as_role, AssertTable.settings_as_text(self.set), self.timeout)


OF_FILE = (
    *("severity", "timeout", "as_role", "set", "params", "params_file"),
    *("sql_file", "tap", "dbt"),
)
"""Keys of a drill file about its assertions; the others are the arguments of its drill."""
