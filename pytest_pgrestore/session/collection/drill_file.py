"""``drill_*.toml``: a drill and its assertions in SQL, collected by pytest like a test file.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BeforeValidator, Field

from pytest_pgrestore.model.errors import AssertionFailed, ConfigError
from pytest_pgrestore.session.collection.expectations import Expectation, parse_expectation
from pytest_pgrestore.session.drill_request import DrillRequest, copies_of, make_request
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.factory import connect
from pytest_pgrestore.session.keys import MARKER, REQUEST, WORDS_OWN_FAILURE
from pytest_pgrestore.settings.toml import Table, read_table, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from _pytest._code.code import ExceptionInfo

_ASSERT_HEADER = re.compile(r"^\s*\[\[\s*assert\s*\]\]", re.MULTILINE)


def _expectation(value: Any) -> Any:
    try:
        return parse_expectation(value)
    except ConfigError as exc:
        raise ValueError(f"{exc.problem}; {exc.hint}") from None


def _not_blank(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("empty; write a text here.")
    return value


Text = Annotated[str, BeforeValidator(_not_blank)]


class AssertTable(Table):
    """``[[assert]]``."""

    name: Text
    sql: Text
    expect: Annotated[Expectation, BeforeValidator(_expectation)]


class DrillTable(Table):
    """A drill file."""

    source: Text | None = None
    target: Text | None = None
    timeline: str | int | None = None
    inclusive: bool | None = None
    rto: Text | None = None
    rpo: Text | None = None
    database: Text | None = None
    assertions: list[AssertTable] = Field(alias="assert", min_length=1)


class DrillFile(pytest.File):
    """A drill file in the tree of the session."""

    def collect(self) -> Iterator[SqlAssertion]:
        """Yield an item per assertion; mistakes are kept for the usage error that names those of all files."""
        state = self.config.stash[SESSION]
        try:
            table = read_drill(self.path)
            requests = self._requests(table)
        except ConfigError as exc:
            state.usage_errors.add(self.nodeid, str(exc))
            return
        lines = [number for number, _ in _headers(self.path)]
        for copy, request in requests.items():
            state.register(request)
            for entry, line in zip(
                table.assertions, [*lines, *[0] * len(table.assertions)], strict=False
            ):
                name = f"{entry.name} [{copy}]" if copy else entry.name
                item = SqlAssertion.from_parent(self, name=name, table=entry, line=line)
                item.stash[REQUEST] = request
                item.stash[WORDS_OWN_FAILURE] = True
                item.add_marker(getattr(pytest.mark, MARKER)(request.drill.source))
                yield item

    def _requests(self, table: DrillTable) -> dict[str, DrillRequest]:
        """Return the drill of the file under an empty name, or for ``source = "NAME.*"`` one for each copy."""
        settings = self.config.stash[SESSION].settings
        arguments = table.model_dump(exclude={"assertions"}, exclude_none=True)
        if table.source is None:
            return {"": make_request(arguments, settings.given, settings.sources, self.nodeid)}
        return {
            copy: make_request(
                {**arguments, "source": source}, settings.given, settings.sources, self.nodeid
            )
            for copy, source in copies_of(table.source, settings.sources).items()
        }


class SqlAssertion(pytest.Item):
    """One ``[[assert]]`` of a drill file."""

    def __init__(self, *, table: AssertTable, line: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._table = table
        self._line = line

    def setup(self) -> None:
        """Get the restored instance."""
        self._instance = self.config.stash[SESSION].instance_for(self)

    def runtest(self) -> None:
        """Ask, and compare."""
        connection = connect(self._instance)
        try:
            rows: Sequence[Sequence[Any]] = []
            cursor = connection.execute(self._table.sql.encode())
            if cursor.description is not None:
                rows = cursor.fetchall()
        finally:
            connection.close()
        show_values = self.config.stash[SESSION].settings.switch("show_values")
        complaint = self._table.expect.complaint(rows, show_values=show_values)
        if complaint is not None:
            raise AssertionFailed(complaint)

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> str:  # noqa: ARG002 - pytest's
        """Show what a reader of the drill file needs, not our stack."""
        from pytest_pgrestore.privacy.exceptions import describe

        return f"{describe(excinfo.value)}\n{self._table.sql.strip()}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Point at the assertion in its file."""
        return self.path, self._line, self.name


def read_drill(path: Path) -> DrillTable:
    """Return the drill file at `path`.

    Raises:
        ConfigError: With every mistake in the file at once.
    """
    document = read_toml(path)
    mistakes: list[str] = []
    table = read_table(DrillTable, document, "", mistakes)
    if table is not None:
        names = [entry.name for entry in table.assertions]
        mistakes += [
            f"assert: two are called {name!r}\nHINT: give each a name of its own."
            for name in sorted(set(names))
            if names.count(name) > 1
        ]
    if mistakes or table is None:
        raise ConfigError(
            "\n".join(mistakes), hint="docs/configuration.md lists every key of a drill file."
        )
    return table


def _headers(path: Path) -> list[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, found.start() + len(found[0]) - len(found[0].lstrip())), found[0])
        for found in _ASSERT_HEADER.finditer(text)
    ]
