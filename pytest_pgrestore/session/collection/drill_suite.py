"""A drill file that was read: its drills, and its assertions wherever they are written.

Imports pydantic; therefore imported inside functions only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.dbt import PROJECT
from pytest_pgrestore.assertions.parameters import GIVEN, bind, checked
from pytest_pgrestore.assertions.sql_file import read_sql_file
from pytest_pgrestore.assertions.table import AssertTable
from pytest_pgrestore.model.errors import ConfigError, MistakesError
from pytest_pgrestore.session.collection.drill_table import OF_FILE, DrillTable
from pytest_pgrestore.settings.mistakes import keys_of
from pytest_pgrestore.settings.toml import read_table, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ASSERT_HEADER = re.compile(r"^\s*(\[\[)\s*assert\s*\]\]", re.MULTILINE)
_NUMBERED = re.compile(r"^assert\.(\d+)(\.|(?=:))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Written:
    """An assertion, and where it is written.

    Attributes:
        table: Its keys, with what it takes from the file.
        path: The drill file, or the SQL file.
        line: From 0.
    """

    table: AssertTable
    path: Path
    line: int


@dataclass(frozen=True, slots=True)
class DrillSuite:
    """A drill file that was read.

    Attributes:
        table: Its keys.
        assertions: In order.
        scripts: Those of pgTAP, in order.
    """

    table: DrillTable
    assertions: list[Written]
    scripts: list[Path]

    def drills(self) -> list[dict[str, Any]]:
        """Return the arguments of each drill, as in the marker."""
        shared = self.table.model_dump(
            exclude={"assertions", "source", *OF_FILE}, exclude_none=True
        )
        each = [one.model_dump(exclude_none=True) for one in self.table.source or ()]
        return [{**shared, **one} for one in each or [{}]]


def read_drill(path: Path) -> DrillSuite:
    """Return the drill file at `path`.

    Raises:
        MistakesError: With every mistake in the file, and in its SQL files, at once.
    """
    document = read_toml(path)
    mistakes: list[str] = []
    table = read_table(DrillTable, document, "", mistakes)
    mistakes = [_named(text, document) for text in mistakes]
    if table is None:
        for _ in _in_sql_files(path, document.get("sql_file"), mistakes):
            pass  # their mistakes are told, too
        raise MistakesError("\n".join(mistakes))
    written = [*_in_file(path, table), *_in_sql_files(path, table.sql_file, mistakes)]
    more = _parameters_of(path, table, mistakes)
    found = [Written(_completed(one.table, table, more), one.path, one.line) for one in written]
    scripts = _matching(path, "tap", table.tap, mistakes)
    if table.dbt is not None and not (path.parent / table.dbt.project / PROJECT).is_file():
        mistakes.append(
            f"dbt: no {PROJECT} in {path.parent / table.dbt.project}\n"
            "HINT: name the project's directory, from that of the drill file."
        )
    mistakes += _said_twice(found)
    for one in found:
        mistakes += _unbound(one, path)
    if mistakes:
        raise MistakesError("\n".join(mistakes))
    return DrillSuite(table, found, scripts)


def _named(text: str, document: Mapping[str, Any]) -> str:
    """Return a mistake with the assertion's own name in place of its number."""
    entries = document.get("assert")

    def name(match: re.Match[str]) -> str:
        number = int(match[1])
        entry = entries[number] if isinstance(entries, list) and number < len(entries) else None
        own = entry.get("name") if isinstance(entry, dict) else None
        named = isinstance(own, str) and own.strip()
        title = repr(own) if named else f"number {number + 1}"
        return f"assert {title}{': ' if match[2] else ''}"

    return _NUMBERED.sub(name, text)


def _in_file(path: Path, table: DrillTable) -> Iterator[Written]:
    """Yield the assertions of the drill file, with the line of each; 0 where it is not known."""
    text = path.read_text(encoding="utf-8-sig")
    lines = [text.count("\n", 0, found.start(1)) for found in _ASSERT_HEADER.finditer(text)]
    for number, entry in enumerate(table.assertions):
        yield Written(entry, path, lines[number] if number < len(lines) else 0)


def _in_sql_files(path: Path, patterns: Any, mistakes: list[str]) -> Iterator[Written]:
    """Yield the assertion of each SQL file; what is wrong with it is added to `mistakes`."""
    keys = frozenset(keys_of(AssertTable)) - {"sql"}
    for file in _matching(path, "sql_file", patterns, mistakes):
        wrong: list[str] = []
        try:
            entry = read_table(AssertTable, read_sql_file(file, keys), str(file), wrong)
        except ConfigError as exc:
            mistakes.append(str(exc))
            continue
        mistakes += [text.replace(f"{file}.", f"{file}: ", 1) for text in wrong]
        if entry is not None:
            yield Written(entry, file, 0)


def _matching(path: Path, key: str, patterns: Any, mistakes: list[str]) -> list[Path]:
    """Return the files that patterns of a key stand for, each once, in order."""
    found: dict[Path, None] = {}
    texts = [patterns] if isinstance(patterns, str) else patterns or ()
    for pattern in filter(lambda one: isinstance(one, str), texts):
        files = (
            sorted(filter(Path.is_file, path.parent.glob(pattern)))
            if not Path(pattern).is_absolute()
            else []
        )
        if not files:
            mistakes.append(
                f"{key}: nothing matches {pattern!r} in {path.parent}\n"
                "HINT: write a pattern from the directory of the drill file, such as checks/*.sql."
            )
        found |= dict.fromkeys(files)
    return list(found)


def _parameters_of(path: Path, table: DrillTable, mistakes: list[str]) -> dict[str, Any]:
    """Return the parameters that all assertions have; those of the drill file count first."""
    if table.params_file is None:
        return table.params
    try:
        return checked(read_toml(path.parent / table.params_file), table.params_file) | table.params
    except ConfigError as exc:
        mistakes.append(f"params_file: {exc}")
        return table.params


def _completed(entry: AssertTable, table: DrillTable, params: Mapping[str, Any]) -> AssertTable:
    """Return an assertion with what it takes from its file."""
    return entry.model_copy(
        update={
            "severity": entry.severity or table.severity,
            "timeout": entry.timeout or table.timeout,
            "as_role": entry.as_role or table.as_role,
            "set": {**AssertTable.settings_as_text(table.set), **entry.set},
            "params": {**params, **entry.params},
        }
    )


def _said_twice(written: list[Written]) -> Iterator[str]:
    names = [one.table.name for one in written]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"assert: two are called {name!r}\nHINT: give each a name of its own."


def _unbound(written: Written, path: Path) -> Iterator[str]:
    """Yield a mistake for a statement with an unknown parameter."""
    table = written.table
    place = f"assert {table.name!r}" if written.path == path else str(written.path)
    statements = [table.sql, *([table.compare.sql] if table.compare and table.compare.sql else [])]
    for statement in statements:
        try:
            bind(statement, {*table.params, *GIVEN})
        except ConfigError as exc:
            yield f"{place}: {exc}"
