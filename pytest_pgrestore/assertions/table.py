"""``[[assert]]``: the keys of an assertion in TOML, each checked.

Imports pydantic; therefore imported inside functions only.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pytest_pgrestore.assertions import parameters
from pytest_pgrestore.assertions.answer import Show
from pytest_pgrestore.assertions.expectation import NO_ROWS, ROWS, SAME_ROWS, Expectation
from pytest_pgrestore.assertions.operand import Tolerance
from pytest_pgrestore.assertions.spelling import parse_expectation
from pytest_pgrestore.assertions.statement import count_statements
from pytest_pgrestore.assertions.tables import PLACE
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.toml import Duration, Table


def _expectation(value: Any) -> Any:
    return _translated(lambda: parse_expectation(value))


def _tolerance(value: Any) -> Any:
    return _translated(lambda: Tolerance.parse(str(value)))


def _parameters(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("a table is expected; write params = { name = value }.")  # noqa: TRY004 - pydantic's protocol
    return _translated(lambda: parameters.checked(value, "params"))


def _translated(make: Any) -> Any:
    try:
        return make()
    except ConfigError as exc:
        raise ValueError(f"{exc.problem}; {exc.hint}") from None


def _not_blank(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("empty; write a text here.")
    return value


def _texts(value: Any) -> Any:
    """Return one text or several as a tuple."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise ValueError('a text or a list of texts is expected; write ["...", "..."].')
    return tuple(texts)


def _shown(value: Any) -> Any:
    """Return a truth value, or columns as a tuple."""
    if isinstance(value, bool):
        return value
    try:
        return _texts(value)
    except ValueError:
        raise ValueError('true or columns are expected; write true, or ["id"].') from None


Text = Annotated[str, BeforeValidator(_not_blank)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Parameters = Annotated[dict[str, Any], BeforeValidator(_parameters)]
Severity = Literal["error", "warn"]


def _one_statement(value: Any) -> Any:
    count = count_statements(value) if isinstance(value, str) and value.strip() else 1
    if count == 0:
        raise ValueError("holds no statement; write exactly one statement that returns rows.")
    if count is not None and count > 1:
        raise ValueError(
            f"holds {count} statements, and one statement is expected; "
            "write an [[assert]] for each one."
        )
    return value


Statement = Annotated[Text, BeforeValidator(_one_statement)]


class CompareTable(Table):
    """``compare``: the other side of an assertion.

    Attributes:
        source: Another source; None is the drill's own.
        target: Where its recovery stops; None is the drill's own, or latest.
        live: Whether the other side is the live server of the source.
        sql: The query there; None is the same one.
    """

    source: Text | None = None
    target: Text | None = None
    live: bool = False
    sql: Statement | None = None

    @model_validator(mode="after")
    def _names_a_side(self) -> CompareTable:
        if self.live and (self.source or self.target):
            raise ValueError("names two other sides; write live = true, or a source or target.")
        if not (self.live or self.source or self.target):
            raise ValueError("names no other side; write a source, a target, or live = true.")
        return self


class AssertTable(Table):
    """The keys of one assertion.

    Attributes:
        name: Of the assertion, unique in its file.
        sql: Exactly one statement that returns rows.
        expect: What its answer must be.
        show: Which values of the answer a message shows.
        severity: ``warn``: a false assertion is a warning, and the run stays green.
        timeout: Longest time of each statement.
        params: Parameters of the SQL.
        tables: Patterns of tables; the SQL runs once for each one, in place of ``{table}``.
        as_role: The role that asks.
        set: Settings of the session that asks.
        writable: Whether the SQL runs on a private copy that may be written.
        compare: The other side, whose answer is what is expected.
        within: How far two numbers may be apart.
        key: Columns that identify a row of ``same rows``.
    """

    name: Text
    sql: Statement
    expect: Annotated[Expectation, BeforeValidator(_expectation)] | None = None
    show: Annotated[bool | tuple[str, ...], BeforeValidator(_shown)] = False
    severity: Severity | None = None
    timeout: Duration | None = None
    params: Parameters = Field(default_factory=dict)
    tables: Texts | None = None
    as_role: Text | None = None
    set: dict[str, str] = Field(default_factory=dict)
    writable: bool = False
    compare: CompareTable | None = None
    within: Annotated[Tolerance, BeforeValidator(_tolerance)] | None = None
    key: Texts | None = None

    @field_validator("set", mode="before")
    @classmethod
    def settings_as_text(cls, value: Any) -> Any:
        """Return settings as SET spells them."""
        if isinstance(value, dict):
            return {name: _setting(one) for name, one in value.items()}
        return value

    @model_validator(mode="after")
    def _keys_fit(self) -> AssertTable:
        kind = None if self.expect is None else self.expect.kind
        same = kind == SAME_ROWS
        if self.compare is None:
            if self.expect is None:
                raise ValueError("expect is missing; add it: what must the answer be?")
            for name, value in (("within", self.within), ("key", self.key), (SAME_ROWS, same)):
                if value:
                    raise ValueError(f"{name} needs another side; add compare = {{ ... }}.")
        elif self.expect is not None and not same:
            raise ValueError(f"compare and expect are two answers; write expect = {SAME_ROWS!r}.")
        if self.show is True and kind in {NO_ROWS, ROWS, SAME_ROWS}:
            raise ValueError('show = true is for a single value; name columns: show = ["id"].')
        if same and not self.key:
            raise ValueError('same rows needs the columns of a row\'s key; add key = ["id"].')
        if self.tables is not None and PLACE not in self.sql:
            raise ValueError(f"tables needs a place for each name; write {PLACE} in sql.")
        if self.tables is None and PLACE in self.sql:
            raise ValueError(f'{PLACE} in sql needs names; add tables = "schema.*".')
        return self

    @property
    def shown(self) -> Show:
        """Which values a message shows."""
        return Show(values=True) if self.show is True else Show(columns=self.show or ())


def _setting(value: Any) -> Any:
    """Return a setting as SET spells it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int | float) else value
