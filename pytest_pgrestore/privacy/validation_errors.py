"""Errors of pandera and pydantic without values; see `data_errors`."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from pytest_pgrestore.privacy.row_values import plain_number, shown
from pytest_pgrestore.privacy.source_words import SourceWords, plain
from pytest_pgrestore.privacy.traceback_entries import frames_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BUILT_IN = re.compile(r"(?P<name>[a-z_]+)(?:\('(?P<kind>[\w\[\]., ]{1,60})'\))?")
"""A check that pandera makes by itself: ``not_nullable``, ``dtype('int64')``.

A type with other characters may list values: ``Enum(categories=['a', 'b'])``.
"""

_MOST_ARGUMENTS = 10
"""Values of a check that are shown."""

_HIDDEN = "*"
"""Stands for a key of the data in a pydantic path."""

_LARGEST_SCHEMA = 50_000
"""Parts of a pydantic schema that are looked at."""


def of_pandera(error: Any) -> Iterator[str]:
    """Yield a line for each check that failed: ``column total: check greater_than(0): 3 rows``."""
    several = getattr(error, "schema_errors", None)
    parts = [error] if several is None else list(several)
    words = SourceWords(error, [file for part in parts for file in _file_of(part.check)])
    lines = [_pandera_line(part, words) for part in parts]
    if several is None:
        yield from lines
        return
    yield _counted(len(lines), "error")
    yield from (f"  {line}" for line in lines)


def _pandera_line(error: Any, words: SourceWords) -> str:
    cases = error.failure_cases
    column = _column_of(error.schema, cases, words)
    check = f"check {_check_of(error.check, words)}"
    told = [f"column {column}" if column else "", check, _count_of(error, cases)]
    return ": ".join(part for part in told if part)


def _column_of(schema: Any, cases: Any, words: SourceWords) -> str:
    """Return the column if its name is the schema's own; "" if it may come from the data."""
    columns = getattr(schema, "columns", None)
    if isinstance(columns, Mapping):
        # Of a column that is missing, or that is there and should not be.
        name = cases
        own = isinstance(cases, str) and cases in columns
    else:
        name = schema.name
        own = not getattr(schema, "regex", False)
    return plain(name) if isinstance(name, str) and (own or words.have(name)) else ""


def _check_of(check: Any, words: SourceWords) -> str:
    """Return the check as its author wrote it, or its name with the numbers that it has."""
    if isinstance(check, str):
        found = _BUILT_IN.fullmatch(check)
        return plain(check if found else check.partition("(")[0])
    if words.have(check.error):
        return plain(check.error)
    name = check.name
    own = name == getattr(check._check_fn, "__name__", None) or words.have(name)  # noqa: SLF001 - pandera has no public name for it
    if not own or not isinstance(name, str) or not name.isidentifier():
        return "(a function)"
    given = {key: value for key, value in check.statistics.items() if value is not None}
    given = {key: value for key, value in given.items() if not isinstance(value, bool)}
    texts = {key: _argument(value, words) for key, value in given.items()}
    if len(texts) < 2:  # noqa: PLR2004 - the name of a single one says nothing more
        return plain(name) + "".join(f"({text})" for text in texts.values())
    return f"{plain(name)}({', '.join(f'{plain(key)}={text}' for key, text in texts.items())})"


def _argument(value: Any, words: SourceWords) -> str:
    """Return a number, and texts of the author's; else dots: a list may come from other rows."""
    several = value if isinstance(value, list | tuple) else [value]
    if len(several) > _MOST_ARGUMENTS or not all(shown(one) or words.have(one) for one in several):
        return "..."
    return ", ".join(plain_number(one) if shown(one) else plain(one) for one in several)


def _count_of(error: Any, cases: Any) -> str:
    """Return how many rows fail; "" for a check that is not about rows."""
    shape = getattr(cases, "shape", None)
    if not isinstance(shape, tuple) or str(error.check).startswith("dtype("):
        return ""
    of_column = not isinstance(getattr(error.schema, "columns", None), Mapping)
    count = _counted(int(shape[0]), "row" if of_column else "failure case")
    is_cut = getattr(error.check, "n_failure_cases", None) is not None
    return f"at least {count}" if is_cut else count


def _file_of(check: Any) -> Iterable[str]:
    """Return the file that the function of a check stands in: its author's words are there."""
    code = getattr(getattr(check, "_check_fn", None), "__code__", None)
    return [] if code is None else [code.co_filename]


def of_pydantic(error: Any) -> Iterator[str]:
    """Yield a line for each field and type of error: ``total: greater_than_equal (2)``."""
    words = SourceWords(error)
    models, fields = _known_to_pydantic(error)
    known = get_args(sys.modules["pydantic_core.core_schema"].ErrorType)
    found: Counter[str] = Counter()
    for entry in error.errors(include_url=False, include_context=False, include_input=False):
        path = ""
        for part in entry["loc"]:
            if isinstance(part, int):
                path += "[]"
                continue
            name = plain(part) if part in fields or words.have(part) else _HIDDEN
            path += f".{name}" if path else name
        kind = entry["type"] if entry["type"] in known or words.have(entry["type"]) else "an error"
        found[f"{path}: {kind}" if path else kind] += 1
    model = f" of {plain(error.title)}" if error.title in models else ""
    yield f"{_counted(found.total(), 'error')}{model}"
    yield from (f"  {what} ({count})" for what, count in found.items())


def _known_to_pydantic(error: BaseException) -> tuple[set[str], set[str]]:
    """Return the names of models, and of fields, in the schemas that an exception passed."""
    waiting: list[Any] = []
    for frame in frames_of(error):
        if not str(frame.f_globals.get("__name__")).startswith("pydantic."):
            continue
        for owner in (frame.f_locals.get("self"), frame.f_locals.get("cls")):
            waiting += [
                getattr(owner, name, None) for name in ("__pydantic_core_schema__", "core_schema")
            ]
    models: set[str] = set()
    fields: set[str] = set()
    seen = 0
    while waiting and seen < _LARGEST_SCHEMA:
        part = waiting.pop()
        seen += 1
        if isinstance(part, list | tuple):
            waiting += part
        elif isinstance(part, dict):
            waiting += [value for key, value in part.items() if key != "metadata"]
            fields |= {name for name in part.get("fields", ()) if isinstance(name, str)}
            fields |= {part[key] for key in ("name", "validation_alias") if _is_text(part, key)}
            if part.get("type") == "model":
                models.add(getattr(part.get("cls"), "__name__", ""))
    return models, fields


def _is_text(part: Mapping[str, Any], key: str) -> bool:
    return isinstance(part.get(key), str)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
