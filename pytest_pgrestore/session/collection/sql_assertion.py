"""One assertion of a drill file as an item of pytest."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.assertions import parameters
from pytest_pgrestore.assertions.answer import Show
from pytest_pgrestore.assertions.question import Session, ask, begin
from pytest_pgrestore.model.errors import AssertionFailed
from pytest_pgrestore.privacy.exceptions import message_without_values
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.instances import clone_for, connect, instance_for
from pytest_pgrestore.settings.run_settings import is_listing

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from pytest_pgrestore.assertions.answer import Answer
    from pytest_pgrestore.restore.instance import RestoredInstance
    from pytest_pgrestore.session.collection.drill_table import Written


class SqlAssertion(pytest.Item):
    """One ``[[assert]]`` of a drill file, or one of its SQL files."""

    def __init__(self, *, written: Written, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._written = written
        self._table = written.table

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
        expect = self._table.expect
        answer = self._answer()
        complaint = None if expect is None else expect.complaint(answer, self._shown())
        if complaint is not None:
            raise AssertionFailed(complaint)

    def _shown(self) -> Show:
        redaction = self.config.stash[SESSION].redaction
        shown = self._table.shown
        return Show(values=True, columns=shown.columns) if redaction.shows_values else shown

    def _answer(self) -> Answer:
        """Return the answer of the query.

        Raises:
            ConfigError: The query has a mistake of its own.
        """
        values = {**self._table.params, **given_by(self._instance)}
        bound = parameters.bind(self._table.sql, values)
        session = Session(self._table.as_role, self._table.set, self._table.timeout)
        with ExitStack() as stack:
            connection = self._connection(stack)
            begin(connection, session)
            asked = {name: values[name] for name in bound.names}
            return ask(connection, bound.text, asked, session.timeout)

    def _connection(self, stack: ExitStack) -> psycopg.Connection[Any]:
        """Open the connection that asks; it ends with `stack`, and so does a private copy."""
        if self._table.writable:
            copy = stack.enter_context(clone_for(self, self._instance))
            return stack.enter_context(copy.connect(read_only=False))
        connection = connect(self._instance)
        stack.callback(connection.close)  # without a commit, which is a rollback
        return connection

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ARG002 - pytest passes it by name
    ) -> str:
        """Return the message and the query: a traceback of ours is of no use to a reader."""
        return f"{message_without_values(excinfo.value)}\n{self._table.sql.strip()}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the place of the assertion in its file."""
        return self._written.path, self._written.line, self.name


def given_by(instance: RestoredInstance) -> dict[str, Any]:
    """Return the parameters that a drill gives: moments, None where they are not known."""
    record = instance.record
    backup, recovered = record.backup, record.recovered_to
    at = backup.stopped_at if backup is not None else None
    return {
        "backup_at": at,
        "drill_started_at": record.started_at,
        # A dump is of one moment: nothing is recovered after it.
        "recovered_to": at if recovered is None else recovered.last_commit_at,
    }
