"""The assertions that are proposed, as a person would write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.assertions.proposals.proposal import Proposal
from pytest_pgrestore.assertions.tables import PLACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.assertions.proposals.written import Names
    from pytest_pgrestore.assertions.tables import TableName


def fits_literal(*names: str) -> bool:
    """Return whether names can stand inside of a string of SQL, where a table's name is put."""
    return not any(sign in name for name in names for sign in ("'", "\\", PLACE))


@dataclass(frozen=True, slots=True)
class Wording:
    """Makes each kind of proposal.

    Attributes:
        names: Writes names into SQL.
    """

    names: Names

    def not_empty(self) -> Proposal:
        """Return: it has rows."""
        return Proposal(
            why="They have rows in this backup, and a table that is missing is red, too. Take out"
            " those that may be empty; of the important ones, expect a number of rows.",
            name="tables are not empty",
            sql=(f"select 1 from {PLACE} limit 1",),
            expect="rows",
            show=False,
        )

    def foreign_key(
        self,
        child: TableName,
        parent: TableName,
        constraint: str,
        columns: Sequence[tuple[str, str, list[str]]],
    ) -> Proposal:
        """Return: each row refers to one that is there.

        Args:
            child: The table with the key.
            parent: The one it refers to.
            constraint: Name of the key.
            columns: Of the key, of the other table, and schema and name of their operator.
        """
        quoted = self.names.quoted
        known = " and ".join(f"c.{quoted(here)} is not null" for here, _, _ in columns)
        pairs = " and ".join(
            f"p.{quoted(there)} {self._operator(*operator)} c.{quoted(here)}"
            for here, there, operator in columns
        )
        return Proposal(
            why=f"The foreign key {constraint} is not validated: the server does not promise it.",
            name=f"{child} refers to rows of {parent} ({constraint})",
            sql=(
                f"select count(*) from {quoted(*child)} c",
                f"where {known}",
                f"  and not exists (select from {quoted(*parent)} p where {pairs})",
            ),
            expect=0,
        )

    def sequences(self, column: str) -> Proposal:
        """Return: the next values of the sequences of a column are new; a number of values."""
        return Proposal(
            why="The next insert fails where a sequence is behind its column. The observed value"
            " is how far.",
            name=f"sequences of {column} are ahead",
            sql=(
                f"select greatest(max({self.names.quoted(column)}) - coalesce(",
                "  pg_catalog.pg_sequence_last_value(",
                f"    pg_catalog.pg_get_serial_sequence('{PLACE}', '{column}')::regclass), 0), 0)",
                f"from {PLACE}",
            ),
            expect=0,
        )

    def sequence(self, table: TableName, column: str, sequence: TableName) -> Proposal:
        """Return: the same of one sequence, also of one that has given no value."""
        quoted = self.names.quoted
        newest = f"(select max({quoted(column)}) from {quoted(*table)})"
        return Proposal(
            why="The next insert fails where a sequence is behind its column. The observed value"
            " is how far.",
            name=f"the sequence of {table}.{column} is ahead",
            sql=(
                f"select greatest({newest}",
                "  - (case when s.is_called then s.last_value else s.last_value - 1 end), 0)",
                f"from {quoted(*sequence)} s",
            ),
            expect=0,
        )

    def newest(self, column: str, days: int) -> Proposal:
        """Return: the newest row is not old, by the end of the backup."""
        return Proposal(
            why="Where writing stopped, or the newest rows are lost, it shows here. Correct the"
            " age: it must be longer than the longest quiet time.",
            name=f"the newest {column} is younger than {days} d before the backup",
            sql=(f"select :backup_at - max({self.names.quoted(column)}) from {PLACE}",),
            expect=f"< {days}d",
        )

    def is_finite(self, column: str) -> Proposal:
        """Return a question: is the newest moment of a column one? ``infinity`` is none."""
        newest = f"pg_catalog.isfinite(max({self.names.quoted(column)}))"
        return Proposal(why="", name=column, sql=(f"select {newest} from {PLACE}",), expect="true")

    def enough_rows(self, column: str, least: int) -> Proposal:
        """Return a question: has the column so many values?"""
        name = self.names.quoted(column)
        sql = f"select count({name}) >= {least} from (select {name} from {PLACE} limit 1000) t"
        return Proposal(why="", name=column, sql=(sql,), expect="true")

    def unique(self, column: str) -> Proposal:
        """Return: no value of a column comes twice."""
        name = self.names.quoted(column)
        return Proposal(
            why="By its name it identifies a row, and no unique index promises it. The observed"
            " value is the number of values that come twice.",
            name=f"{column} comes once",
            sql=(
                "select count(*) from (",
                f"  select 1 from {PLACE} where {name} is not null",
                f"  group by {name} having count(*) > 1",
                ") twice",
            ),
            expect=0,
        )

    def enum(self, name: TableName, labels: list[str]) -> Proposal:
        """Return: a type has its values, in order."""
        return Proposal(
            why="Code that reads it knows these values.",
            name=f"{name} has its values",
            sql=(f"select enum_range(null::{self.names.quoted(*name)})::text[]",),
            expect=labels,
        )

    def _operator(self, schema: str, sign: str) -> str:
        return sign if schema == "pg_catalog" else f"operator({self.names.quoted(schema)}.{sign})"
