"""Tries an assertion on a restored database before it is proposed."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions import tables
from pytest_pgrestore.assertions.parameters import bind
from pytest_pgrestore.assertions.question import Session, ask, begin
from pytest_pgrestore.assertions.spelling import parse_expectation
from pytest_pgrestore.model.errors import ConfigError, HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from pytest_pgrestore.assertions.answer import Answer
    from pytest_pgrestore.assertions.proposals.proposal import Found, Proposal
    from pytest_pgrestore.assertions.tables import TableName

UNREAD = "Could not be read"
FALSE = "False of this backup, look into it"
"""Reasons to leave out what cannot be asked, and what should be true and is not."""

_LONGEST = timedelta(seconds=30)
"""Time of one question."""

_ALL_SECONDS = 900.0
"""Time of all questions: a backup may be made to answer each one slowly."""

_LATE = "whatever is not above: the questions took 15 minutes"


class Trial:
    """Asks questions about one database, and changes nothing in it.

    Args:
        connection: With settings of ours: `ConnectionInfo.ask`.
        given: The parameters that the drill gives.
        found: Gets a note of what is left out.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], given: Mapping[str, Any], found: Found
    ) -> None:
        self._connection = connection
        self._given = given
        self._found = found
        self._deadline = time.monotonic() + _ALL_SECONDS
        begin(connection, Session(timeout=_LONGEST))
        connection.execute("set default_transaction_read_only = on")

    def rows(self, query: Any, *values: Any) -> list[tuple[Any, ...]]:
        """Return the answer to a question of ours."""
        return self._connection.execute(query, values).fetchall()

    def is_proven(self, proposal: Proposal) -> bool:
        """Return whether it is true; what should be true, and is not, is told."""
        holds = self.holds(proposal)
        if holds is False:
            self._found.leave_out(FALSE, proposal.name)
        return holds is True

    def holds(self, proposal: Proposal, table: TableName | None = None) -> bool | None:
        """Return whether an assertion is true; None, and a note, if it cannot be asked."""
        answer = self._ask(proposal, table)
        try:
            wanted = parse_expectation(proposal.expect)
            return None if answer is None else wanted.complaint(answer) is None
        except ConfigError:  # the two cannot be compared
            return None

    def value(self, proposal: Proposal, table: TableName) -> Any:
        """Return the one value of the answer; None without one."""
        answer = self._ask(proposal, table)
        return answer.rows[0][0] if answer is not None and answer.rows else None

    def _ask(self, proposal: Proposal, table: TableName | None) -> Answer | None:
        """Ask as the drill file's assertion will; None, and a note, if there is no answer."""
        import psycopg

        if time.monotonic() > self._deadline:
            if _LATE not in self._found.left_out.get(UNREAD, ()):
                self._found.leave_out(UNREAD, _LATE)
            return None
        bound = bind("\n".join(proposal.sql), self._given)
        text = bound.text if table is None else tables.in_place(bound.text, table)
        asked = {name: self._given[name] for name in bound.names}
        try:
            return ask(self._connection, text, asked, _LONGEST)
        except (psycopg.Error, HarnessError, ConfigError):
            if self._connection.closed:  # no further question has an answer
                raise
        about = proposal.name if table is None else str(table)
        if about not in self._found.left_out.get(UNREAD, ()):
            self._found.leave_out(UNREAD, about)
        return None
