"""Looks at a restored database for assertions to propose: all are tried, and true of it.

What is proposed is true of this backup. Whether it must be true of each is for a person to say.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_pgrestore.assertions.proposals import catalogue, wording
from pytest_pgrestore.assertions.proposals.columns import Column
from pytest_pgrestore.assertions.proposals.proposal import LISTED, Found
from pytest_pgrestore.assertions.proposals.trial import UNREAD, Trial
from pytest_pgrestore.assertions.proposals.written import Names, pattern_of
from pytest_pgrestore.assertions.tables import TABLES, TableName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg

    from pytest_pgrestore.assertions.proposals.proposal import Proposal

_AGES = (1, 7, 31, 366)
"""Days among which the age of the newest row is chosen."""

_ZONES = timedelta(hours=14)
"""How far the clock of a column without a zone may be from UTC."""

_FEWEST_ROWS = 10
"""Rows of which it says nothing that a value comes once."""

_LARGEST_BYTES = 256 * 1024 * 1024
"""Of a table that is read as a whole: about two million rows. A restored dump has no statistics."""

_MOST_TABLES = 1_000
_MOST_LABELS = 100
_LARGE = "Too large to be looked through here"
_MORE = "More of the same kind"
_EMPTY = "Empty in this backup"


class _Table(NamedTuple):
    name: TableName
    size: int

    @property
    def is_large(self) -> bool:
        return self.size > _LARGEST_BYTES


class Survey:
    """One look at a database.

    Args:
        connection: With settings of ours: `ConnectionInfo.ask`.
        given: The parameters that the drill gives.
    """

    def __init__(self, connection: psycopg.Connection[Any], given: Mapping[str, Any]) -> None:
        self._found = Found()
        self._trial = Trial(connection, given, self._found)
        self._has_moment = given["backup_at"] is not None
        self._tables: dict[int, _Table] = {}
        self._parents: dict[int, _Table] = {}
        self._columns: dict[int, list[Column]] = {}
        self._there: Counter[str] = Counter()
        self._words = wording.Wording(Names(frozenset()))

    def propose(self) -> Found:
        """Return assertions that are true of the database."""
        reserved = frozenset(str(word) for (word,) in self._trial.rows(catalogue.RESERVED))
        self._words = wording.Wording(Names(reserved))
        self._there.update(TableName(*row).dotted for row in self._trial.rows(TABLES))
        self._read_tables()
        self._not_empty()
        self._read_columns()
        self._foreign_keys()
        self._sequences()
        self._newest()
        self._business_keys()
        self._enums()
        return self._found

    def _read_tables(self) -> None:
        rows = self._trial.rows(catalogue.TABLES, _MOST_TABLES + 1)
        for oid, schema, name, size, has_foreign_part in rows[:_MOST_TABLES]:
            table = TableName(schema, name)
            if has_foreign_part or pattern_of(table, self._there) is None:
                self._found.leave_out(UNREAD, str(table))
            else:
                self._tables[oid] = _Table(table, size)
        if len(rows) > _MOST_TABLES:
            self._found.leave_out(_MORE, f"tables behind {rows[_MOST_TABLES - 1][2]}")

    def _not_empty(self) -> None:
        """Propose it; the tables without rows are of no more use."""
        proposal = self._words.not_empty()
        self._parents = self._tables.copy()
        for oid, table in list(self._tables.items()):
            holds = self._trial.holds(proposal, table.name)
            if not holds:
                del self._tables[oid]
            if holds is False:
                self._found.leave_out(_EMPTY, str(table.name))
        self._about_tables([(proposal, [table.name for table in self._tables.values()])])

    def _read_columns(self) -> None:
        kinds = [*catalogue.MOMENTS, *catalogue.KEYS]
        for oid, *column in self._trial.rows(catalogue.COLUMNS, kinds):
            if oid in self._tables:
                self._columns.setdefault(oid, []).append(Column(*column))

    def _foreign_keys(self) -> None:
        found = []
        for child, parent, name, columns, keys, operators in self._trial.rows(
            catalogue.FOREIGN_KEYS
        ):
            here, there = self._tables.get(child), self._parents.get(parent)
            if here is None or there is None or {sign for _, sign in operators or ()} != {"="}:
                continue  # no row refers to anything; or it is about ranges: PERIOD
            if here.is_large or there.is_large:
                self._found.leave_out(_LARGE, f"{here.name}: {name}")
                continue
            pairs = list(zip(columns, keys, operators, strict=True))
            proposal = self._words.foreign_key(here.name, there.name, name, pairs)
            if self._trial.is_proven(proposal):
                found.append(proposal)
        self._each(found)

    def _sequences(self) -> None:
        by_column: dict[str, list[TableName]] = {}
        single = []
        for oid, column, *sequence in self._trial.rows(catalogue.SEQUENCES):
            table = self._tables.get(oid)
            known = next((one for one in self._columns.get(oid, ()) if one.name == column), None)
            if table is None or known is None or known.kind not in catalogue.WHOLE_NUMBERS:
                continue
            if table.is_large and not known.is_indexed:
                self._found.leave_out(_LARGE, f"{table.name}.{column}")
                continue
            shared = self._words.sequences(column)
            if wording.fits_literal(column, *table.name) and self._trial.holds(shared, table.name):
                by_column.setdefault(column, []).append(table.name)
                continue
            own = self._words.sequence(table.name, column, TableName(*sequence))
            if self._trial.is_proven(own):
                single.append(own)
        self._about_tables(
            [(self._words.sequences(column), names) for column, names in by_column.items()]
        )
        self._each(single)

    def _newest(self) -> None:
        if not self._has_moment:
            return
        groups: dict[tuple[str, int], list[TableName]] = {}
        for oid, table in self._tables.items():
            column = next((one for one in self._columns.get(oid, ()) if one.is_moment), None)
            if column is None:
                continue
            if table.is_large and not column.is_indexed:
                self._found.leave_out(_LARGE, f"{table.name}.{column.name}")
            elif (days := self._age(table.name, column)) is not None:
                groups.setdefault((column.name, days), []).append(table.name)
        self._about_tables(
            [(self._words.newest(column, days), names) for (column, days), names in groups.items()]
        )

    def _age(self, table: TableName, column: Column) -> int | None:
        """Return the days within which the newest row was written; None if it is long ago.

        The next backup may be taken when less is going on: it is twice the age that is seen.
        """
        if self._trial.value(self._words.is_finite(column.name), table) is not True:
            return None
        age = self._trial.value(self._words.newest(column.name, 1), table)
        if not isinstance(age, timedelta):
            return None
        needed = 2 * age + (timedelta(0) if column.kind == catalogue.TIMESTAMPTZ else _ZONES)
        fitting = (days for days in _AGES if -timedelta(days=1) < needed < timedelta(days=days))
        return next(fitting, None)

    def _business_keys(self) -> None:
        groups: dict[str, list[TableName]] = {}
        for oid, table in self._tables.items():
            for column in self._columns.get(oid, ()):
                if not column.may_identify:
                    continue
                if table.is_large:
                    self._found.leave_out(_LARGE, f"{table.name}.{column.name}")
                elif self._identifies(table.name, column.name):
                    groups.setdefault(column.name, []).append(table.name)
        self._about_tables([(self._words.unique(name), found) for name, found in groups.items()])

    def _identifies(self, table: TableName, column: str) -> bool:
        rows = self._trial.value(self._words.enough_rows(column, _FEWEST_ROWS), table)
        return rows is True and self._trial.holds(self._words.unique(column), table) is True

    def _enums(self) -> None:
        rows = self._trial.rows(catalogue.ENUMS, _MOST_LABELS)
        proposals = [self._words.enum(TableName(*name), labels) for *name, labels in rows]
        self._each([proposal for proposal in proposals if self._trial.holds(proposal)])

    def _about_tables(self, groups: Iterable[tuple[Proposal, list[TableName]]]) -> None:
        """Propose assertions about lists of tables; of too many, those about most tables."""
        known = [(proposal, names) for proposal, names in groups if names]
        known.sort(key=lambda one: -len(one[1]))
        for proposal, names in known[:LISTED]:
            patterns = [pattern_of(name, self._there) or "" for name in names]
            self._found.proposals.append(proposal.about(tuple(names), tuple(patterns)))
        for proposal, _ in known[LISTED:]:
            self._found.leave_out(_MORE, proposal.name)

    def _each(self, proposals: list[Proposal]) -> None:
        self._found.proposals += proposals[:LISTED]
        for proposal in proposals[LISTED:]:
            self._found.leave_out(_MORE, proposal.name)
