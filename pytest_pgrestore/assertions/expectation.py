"""What an answer must be, and how it differs.

Answers are rows of production data. Messages show counts and the expectation; they show values only
where the author, or the user, asks for them.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.answer import SHOWN_ROWS, Answer, Show, shown
from pytest_pgrestore.assertions.document import differences, same
from pytest_pgrestore.assertions.operand import comparable, kind_of
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

NO_ROWS = "no rows"
ROWS = "rows"
SAME_ROWS = "same rows"
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}

LONGEST_MATCHED = 10_000
"""Characters of a value that a regular expression is looked for in.

The value is a stranger's, and the time that Python takes may grow with the square of its length.
"""


@dataclass(frozen=True, slots=True)
class Expectation:
    """A parsed ``expect``.

    Attributes:
        text: As the user wrote it.
        kind: ``no rows``, ``rows``, ``same rows``, ``between``, ``about``, ``matches``, ``list``,
            ``columns``, or an operator.
        operand: What the answer is compared with; expectations of a list, or by column.
        written: The list or table itself, for an answer that is one JSON value.
    """

    text: str
    kind: str
    operand: Any = None
    written: Any = None

    def complaint(self, answer: Answer, show: Show = Show()) -> str | None:  # noqa: B008 - frozen
        """Return how the answer differs from what is expected; None if it does not.

        Raises:
            ConfigError: The two cannot be compared: a mistake of the assertion, and no finding
                about the backup.
        """
        answer.require_columns("show", show.columns)
        match self.kind:
            case "no rows":
                found = f"expected no rows, the query returned {len(answer.rows):,}"
                return "\n".join([found, *show.lines(answer)]) if answer.rows else None
            case "rows":
                return None if answer.rows else "expected rows, the query returned none"
            case "list":
                return self._list_complaint(answer, show)
            case "columns" if len(answer.columns) > 1 or not _is_json(answer):
                return self._columns_complaint(answer, show)
        if len(answer.rows) != 1 or len(answer.columns) != 1:
            return f"expected one value, the query returned {answer.size()}"
        return self.complaint_of(answer.rows[0][0], show.of_column(answer.columns[0]))

    def complaint_of(self, value: Any, show: Show) -> str | None:
        """Return how one value differs from what is expected; None if it does not."""
        if value is None:
            return f"expected {self.text}, the value is null"
        if self._holds(value):
            return None
        if self.written is not None:
            lines = list(differences(value, self.written, show.values))
            return "\n".join(lines[:SHOWN_ROWS])
        # A truth value that is not the expected one is the other one.
        if show.values or (isinstance(value, bool) and isinstance(self.operand, bool)):
            return f"expected {self._condition()}, observed {shown(value)}"
        return f"the observed value does not satisfy {self._condition()}"

    def _condition(self) -> str:
        worded = self.kind in OPERATORS and not self.text.startswith(self.kind)
        return f"{self.kind} {self.text}" if worded else self.text

    def _holds(self, value: Any) -> bool:
        match self.kind:
            case "columns" | "list" | "document":
                return same(value, self.written)
            case "matches":
                if not isinstance(value, str):
                    raise _other_kind(kind_of(value), self.text, "text")
                if len(value) > LONGEST_MATCHED:
                    raise ConfigError(
                        f"the value has {len(value):,} characters, and matches is for"
                        f" {LONGEST_MATCHED:,} at most",
                        hint="compare in SQL: value ~ 'pattern'.",
                    )
                return self.operand.search(value) is not None
            case "between":
                low, high = self.operand
                return self._compare(">=", value, low) and self._compare("<=", value, high)
            case "about":
                number, tolerance = self.operand
                low, high = tolerance.range_about(number)
                return self._compare(">=", value, low) and self._compare("<=", value, high)
        return self._compare(self.kind, value, self.operand)

    def _compare(self, sign: str, value: Any, operand: Any) -> bool:
        left, right = comparable(value), comparable(operand)
        if isinstance(left, str) and sign == "=" and self.text.startswith("="):
            right = self.text[1:].strip()  # "= 42" for a text column
        if type(left) is not type(right):
            raise _other_kind(kind_of(left), self.text, kind_of(right), is_quoted=sign == "=")
        if kind_of(left) == "number" and left.is_nan():
            return sign == "!="  # the order of NaN is an error in Python
        try:
            return OPERATORS[sign](left, right)
        except TypeError:
            raise ConfigError(
                f"{kind_of(left)} values cannot be compared by {sign}",
                hint="expect = or != instead.",
            ) from None

    def _list_complaint(self, answer: Answer, show: Show) -> str | None:
        """Compare one column with a list in order, or one array or JSON value with it."""
        if len(answer.columns) != 1:
            return f"expected one column, the query returned {answer.size()}"
        values = [row[0] for row in answer.rows]
        if len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        wanted, show = self.operand, show.of_column(answer.columns[0])
        if len(values) != len(wanted):
            tail = f": {', '.join(map(shown, values[:20]))}" if show.values else ""
            return f"expected {len(wanted)} values, the query returned {len(values):,}{tail}"
        for number, (value, other) in enumerate(zip(values, wanted, strict=True), start=1):
            if (complaint := other.complaint_of(value, show)) is not None:
                return f"value {number} of {len(wanted)}: {complaint}"
        return None

    def _columns_complaint(self, answer: Answer, show: Show) -> str | None:
        """Compare the columns of one row with an expectation each."""
        if len(answer.rows) != 1:
            return f"expected one row, the query returned {answer.size()}"
        answer.require_names()
        answer.require_columns("expect", self.operand)
        row = dict(zip(answer.columns, answer.rows[0], strict=True))
        complaints = [
            f"{name}: {complaint}"
            for name, wanted in self.operand.items()
            if (complaint := wanted.complaint_of(row[name], show.of_column(name))) is not None
        ]
        return "\n".join(complaints) or None


def _is_json(answer: Answer) -> bool:
    """Return whether the answer is one value that is a JSON object."""
    return len(answer.rows) == 1 and isinstance(answer.rows[0][0], dict)


def _other_kind(found: str, text: str, wanted: str, *, is_quoted: bool = False) -> ConfigError:
    quoted = is_quoted and found in {"number", "truth value"} and wanted == "text"
    return ConfigError(
        f"the query returns a {found}, and expect = {text!r} is a {wanted}",
        hint=f"write expect = {text} without quotes."
        if quoted
        else "cast one to the type of the other.",
    )
