"""The answer of an assertion's query, and which of its values the author lets reports show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHOWN_ROWS = 5
"""Rows of which a message shows the columns that the author names."""

_LONGEST = 200
"""Characters of a value in a message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query returned.

    Attributes:
        columns: Their names, in order.
        rows: In order.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def require_names(self) -> None:
        """Refuse two columns of one name: only one of them would be looked at.

        Raises:
            ConfigError: There are two.
        """
        for number, name in enumerate(self.columns):
            if name in self.columns[:number]:
                raise ConfigError(
                    f"the query returns two columns called {name!r}",
                    hint=f"give one another name: `... as {name}_2`.",
                )

    def require_columns(self, key: str, names: Iterable[str]) -> None:
        """Refuse a name that is no column.

        Args:
            key: Of the assertion, which names it.
            names: As the author wrote them.

        Raises:
            ConfigError: There is one.
        """
        for name in names:
            if name not in self.columns:
                raise ConfigError(
                    f"{key} names {name!r}, which is no column of the query",
                    hint=known_names(name, self.columns),
                )

    def size(self) -> str:
        """Return how large it is, in words."""
        rows, columns = len(self.rows), len(self.columns)
        return f"{rows:,} row{'s' * (rows != 1)} of {columns} column{'s' * (columns != 1)}"


@dataclass(frozen=True, slots=True)
class Show:
    """Which values a message shows. They are published then: the author says so.

    Attributes:
        values: Whether a single value is shown: a count, a date, an aggregate.
        columns: Names of columns that are shown of the first rows.
    """

    values: bool = False
    columns: tuple[str, ...] = ()

    def of_column(self, name: str) -> Show:
        """Return what is shown of a single value of this column."""
        return self if self.values else Show(values=name in self.columns)

    def lines(self, answer: Answer) -> Iterator[str]:
        """Yield a line for each of the first rows, with its named columns."""
        answer.require_columns("show", self.columns)
        if not self.columns:
            return
        places = [answer.columns.index(name) for name in self.columns]
        for row in answer.rows[:SHOWN_ROWS]:
            yield "  " + ", ".join(f"{answer.columns[at]} = {shown(row[at])}" for at in places)
        if len(answer.rows) > SHOWN_ROWS:
            yield f"  and {len(answer.rows) - SHOWN_ROWS:,} more rows"


def shown(value: Any) -> str:
    """Return a value as a message shows it: as PostgreSQL's users write it, and not too long."""
    text = visible(_spelled(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"


def _spelled(value: Any) -> str:
    from psycopg.types.range import Range

    match value:
        case None | bool():
            return "null" if value is None else str(value).lower()
        case bytes():
            return f"\\x{value.hex()}"
        case list():
            return f"[{', '.join(map(_inside, value))}]"
        case dict():
            pairs = (f"{_inside(key)}: {_inside(part)}" for key, part in value.items())
            return f"{{{', '.join(pairs)}}}"
        case Range() if not value.isempty:
            ends = ("" if end is None else _spelled(end) for end in (value.lower, value.upper))
            return f"{value.bounds[0]}{','.join(ends)}{value.bounds[1]}"
    return str(value)


def _inside(value: Any) -> str:
    """Return a value in a list or JSON document: a text is quoted there."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _spelled(value)
