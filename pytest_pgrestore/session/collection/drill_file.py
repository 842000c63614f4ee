"""``drill_*.toml``: a drill and its assertions in SQL, collected by pytest like a test file.

Imports pydantic; therefore imported inside functions only.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pytest
from pydantic import BeforeValidator, Field

from pytest_pgrestore.model.errors import AssertionFailed, ConfigError, MistakesError
from pytest_pgrestore.privacy.exceptions import message_without_values
from pytest_pgrestore.session.collection.expectations import Expectation, parse_expectation
from pytest_pgrestore.session.collection.sql_statements import count_statements
from pytest_pgrestore.session.drill_request import DrillRequest, copies_of, make_request
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.instances import connect, instance_for
from pytest_pgrestore.session.keys import MARKER, REQUEST, WORDS_OWN_FAILURE
from pytest_pgrestore.session.marker import HINT_TO_SOURCE, KEYS_OF_SOURCES
from pytest_pgrestore.settings.run_settings import is_listing
from pytest_pgrestore.settings.toml import Table, read_table, read_toml
from pytest_pgrestore.system.spelling import spell_for_us

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_ASSERT_HEADER = re.compile(r"^\s*(\[\[)\s*assert\s*\]\]", re.MULTILINE)


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

_OWN_MISTAKES = frozenset({"42601", "22012"})
"""SQLSTATE syntax_error and division_by_zero: they say nothing about the backup."""


class AssertTable(Table):
    """``[[assert]]``: a query and the expected answer."""

    name: Text
    sql: Statement
    expect: Annotated[Expectation, BeforeValidator(_expectation)]


class DrillTable(Table):
    """The keys of a drill file."""

    elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(KEYS_OF_SOURCES, HINT_TO_SOURCE)

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
        """Yield an item per assertion. Mistakes go to the one usage error of the run."""
        state = self.config.stash[SESSION]
        state.require_settings_of(self.path)
        try:
            table = read_drill(self.path)
            requests = self._requests(table)
        except ConfigError as exc:
            state.usage_errors.add(self.nodeid, str(exc))
            return
        lines = _assert_lines(self.path)
        for copy, request in requests.items():
            state.register(request)
            for entry, line in zip_longest(table.assertions, lines[: len(table.assertions)]):
                name = f"{entry.name} [{copy}]" if copy else entry.name
                item = SqlAssertion.from_parent(self, name=name, table=entry, line=line or 0)
                item.stash[REQUEST] = request
                item.stash[WORDS_OWN_FAILURE] = True
                item.add_marker(getattr(pytest.mark, MARKER)(request.drill.source))
                yield item

    def _requests(self, table: DrillTable) -> dict[str, DrillRequest]:
        """Return the drill of the file by the name ""; for ``source = "NAME.*"`` one per copy."""
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
        if not is_listing(self.config):  # --setup-plan shows what would be set up
            self._instance = instance_for(self)

    def runtest(self) -> None:
        """Run the query, and compare its answer.

        Raises:
            AssertionFailed: The answer is not as expected.
            ConfigError: The query has a mistake of its own.
        """
        rows = self._rows()
        show_values = self.config.stash[SESSION].redaction.shows_values
        complaint = self._table.expect.complaint(rows, show_values=show_values)
        if complaint is not None:
            raise AssertionFailed(complaint)

    def _rows(self) -> list[tuple[Any, ...]]:
        """Return the rows of the query.

        Raises:
            ConfigError: The query has a mistake of its own.
        """
        import psycopg

        connection = connect(self._instance)
        try:
            spell_for_us(connection)
            # psycopg's type of a query that is no literal of the source code is bytes. The server
            # refuses to prepare two statements; otherwise the result of the first one is read.
            cursor = connection.execute(self._table.sql.encode(), prepare=True)
            if cursor.description is None:
                raise ConfigError(
                    "the statement returns no rows",
                    hint="write exactly one statement that returns rows: select, with, values.",
                )
            return cursor.fetchall()
        except psycopg.Error as exc:
            if exc.sqlstate in _OWN_MISTAKES:
                raise ConfigError(
                    f"the query has a mistake: {message_without_values(exc)}",
                    hint="mend the SQL: exactly one statement that returns rows.",
                ) from None
            raise
        finally:
            connection.close()

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ARG002 - pytest passes it by name
    ) -> str:
        """Return the message and the query: a traceback of ours is of no use to a reader."""
        return f"{message_without_values(excinfo.value)}\n{self._table.sql.strip()}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the place of the assertion in its file."""
        return self.path, self._line, self.name


def read_drill(path: Path) -> DrillTable:
    """Return the drill file at `path`.

    Raises:
        MistakesError: With every mistake in the file at once.
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
        raise MistakesError("\n".join(mistakes))
    return table


def _assert_lines(path: Path) -> list[int]:
    """Return the line of each ``[[assert]]``, from 0; none if they are spelled in another way."""
    text = path.read_text(encoding="utf-8-sig")
    return [text.count("\n", 0, found.start(1)) for found in _ASSERT_HEADER.finditer(text)]
