"""One assertion of a drill file as an item of pytest."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions import comparison, parameters, tables
from pytest_pgrestore.assertions.answer import Show
from pytest_pgrestore.assertions.expectation import SAME_ROWS
from pytest_pgrestore.assertions.question import Session, ask, begin
from pytest_pgrestore.model.errors import AssertionFailed, HarnessError
from pytest_pgrestore.session.collection.file_item import FileItem
from pytest_pgrestore.session.collection.other_side import of_other_side, open_other, side_of
from pytest_pgrestore.session.collection.reported import Parts
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.instances import clone_for, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg
    import pytest

    from pytest_pgrestore.assertions.answer import Answer
    from pytest_pgrestore.assertions.tables import TableName
    from pytest_pgrestore.restore.instance import RestoredInstance
    from pytest_pgrestore.session.collection.drill_suite import Written


class SqlAssertion(FileItem):
    """One ``[[assert]]`` of a drill file, or one of its SQL files.

    Attributes:
        written: Its keys, and where they are written.
    """

    def __init__(self, *, written: Written, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.written = written
        self._table = written.table

    def runtest(self) -> None:
        """Run the query, and compare its answer.

        Raises:
            AssertionFailed: The answer is not as expected.
            ConfigError: The query has a mistake of its own.
        """
        with ExitStack() as stack:
            here = self._opened(stack, lambda: self._connection(stack))
            there = None
            if self._table.compare is not None:
                with of_other_side(side_of(self)):
                    there = self._opened(stack, lambda: open_other(self, self._instance))
            if self._table.tables is None:
                self._judge(here, there)
                return
            with self._instance.access.ask() as asks:
                found = tables.tables_like(asks, self._table.tables)
            parts = Parts(self, written=self.written)
            for table in found:
                parts.report(table, partial(self._judge, here, there, table))
            parts.conclude()

    def _opened(
        self, stack: ExitStack, make: Callable[[], psycopg.Connection[Any]]
    ) -> psycopg.Connection[Any]:
        """Return a connection whose session is the author's; it ends with `stack`."""
        connection = make()
        stack.callback(connection.close)  # without a commit, which is a rollback
        begin(connection, Session(self._table.as_role, self._table.set, self._table.timeout))
        return connection

    def _judge(
        self,
        here: psycopg.Connection[Any],
        there: psycopg.Connection[Any] | None,
        table: TableName | None = None,
    ) -> None:
        """Ask, and compare the answer."""
        written = self._table
        answer = self._answer(here, written.sql, table)
        complaint = None
        if there is not None:
            compare = written.compare
            sql = (compare and compare.sql) or written.sql
            with of_other_side(side_of(self)):
                other = self._answer(there, sql, table)
            complaint = self._difference(answer, other)
        elif written.expect is not None:
            complaint = written.expect.complaint(answer, self._shown())
        if complaint is not None:
            raise AssertionFailed(complaint if table is None else f"{table}: {complaint}")

    def _difference(self, here: Answer, there: Answer) -> str | None:
        """Return how the answer differs from that of the other side."""
        written, side = self._table, side_of(self)
        if written.expect is not None and written.expect.kind == SAME_ROWS:
            return comparison.rows_complaint(here, there, side, written.key or (), self._shown())
        within = written.within or comparison.EXACT
        return comparison.value_complaint(here, there, side, within, self._shown())

    def _shown(self) -> Show:
        redaction = self.config.stash[SESSION].redaction
        shown = self._table.shown
        return Show(values=True, columns=shown.columns) if redaction.shows_values else shown

    def _answer(
        self, connection: psycopg.Connection[Any], sql: str, table: TableName | None
    ) -> Answer:
        values = {**self._table.params, **given_by(self._instance)}
        bound = parameters.bind(sql, values)
        text = bound.text if table is None else tables.in_place(bound.text, table)
        asked = {name: values[name] for name in bound.names}
        for name in sorted(parameters.GIVEN.keys() & bound.names):
            if asked[name] is None:
                raise HarnessError(f":{name} is not known here", hint=parameters.GIVEN[name])
        try:
            return ask(connection, text, asked, self._table.timeout)
        finally:
            connection.rollback()  # an error must not end what comes after it

    def _connection(self, stack: ExitStack) -> psycopg.Connection[Any]:
        """Open the connection that asks: to the copy, or to a private one."""
        if self._table.writable:
            copy = stack.enter_context(clone_for(self, self._instance))
            return copy.connect(read_only=False)
        return connect(self._instance)

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,
    ) -> str:
        """Return the message, and the query."""
        return f"{super().repr_failure(excinfo, style)}\n{self._table.sql.strip()}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the place of the assertion in its file."""
        return self.written.path, self.written.line, self.name


def given_by(instance: RestoredInstance) -> dict[str, Any]:
    """Return the parameters that a drill gives: moments, None where one is not known."""
    record = instance.record
    backup, recovered = record.backup, record.recovered_to
    at = backup.stopped_at if backup is not None else None
    return {
        "backup_at": at,
        "drill_started_at": record.started_at,
        # A dump is of one moment, and so is a backup after which nothing was committed.
        "recovered_to": (recovered and recovered.last_commit_at) or at,
    }
