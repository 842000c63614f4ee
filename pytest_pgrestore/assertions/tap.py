"""Scripts of pgTAP: run on a private copy, and their output read by a TAP library.

Source: pgTAP's documentation, "Usage"; testanything.org, TAP 12 and 13.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError, HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

_PSQL = re.compile(r"^[ \t]*\\(\w+)[^\n]*$", re.MULTILINE)
"""A line with a command of psql."""

_HARMLESS = frozenset({"set", "unset", "pset", "echo", "timing", "x", "t", "a", "q"})
"""Commands of psql that only change how it prints; pgTAP's own scripts begin with them."""

_NO_EXTENSION = frozenset({"0A000", "58P01"})
"""SQLSTATE feature_not_supported and undefined_file: the extension is not installed here."""


@dataclass(frozen=True, slots=True)
class TapResult:
    """One ``ok`` or ``not ok``.

    Attributes:
        number: From 1.
        ok: Whether it is.
        title: Its description, if it stands in the script as it is: it may be made of rows.
        left_out: Why it does not count, for ``# SKIP`` and ``# TODO``; "" if it counts.
    """

    number: int
    ok: bool
    title: str
    left_out: str


def sql_of(text: str, where: str) -> str:
    """Return a script without psql's commands about printing.

    Raises:
        ConfigError: It has another command of psql.
    """
    for match in _PSQL.finditer(text):
        if match[1] not in _HARMLESS:
            raise ConfigError(
                f"{where} has psql's command \\{match[1]}, which is not run here",
                hint="write plain SQL; \\set and other commands about printing are ignored.",
            )
    return _PSQL.sub("", text)


def run_script(connection: psycopg.Connection[Any], sql: str) -> str:
    """Return what a script prints, line by line.

    Args:
        connection: Writable, in autocommit mode: scripts begin and roll back by themselves.
        sql: See `sql_of`.

    Raises:
        HarnessError: pgTAP is not installed here.
        psycopg.Error: The script failed.
    """
    import psycopg

    try:
        connection.execute("create extension if not exists pgtap")
    except psycopg.Error as exc:
        if exc.sqlstate in _NO_EXTENSION:
            raise HarnessError(
                "the extension pgtap is not installed beside the server programs",
                hint="install it (Debian: postgresql-NN-pgtap); in containers name that package in"
                " sandbox.packages.",
            ) from None
        raise
    cursor = connection.execute(sql.encode())
    lines: list[str] = []
    while True:
        if cursor.description is not None:
            lines += [str(row[0]) for row in cursor.fetchall() if row and row[0] is not None]
        if not cursor.nextset():
            return "\n".join(lines)


def read_tap(output: str, script: str) -> Iterator[TapResult]:
    """Yield the results in TAP.

    Args:
        output: See `run_script`.
        script: Its text: a description is shown if it stands there.

    Raises:
        HarnessError: The TAP library is not installed, or the script gave up, or ran other tests
            than it planned.
    """
    try:
        from tap.parser import Parser
    except ImportError:
        raise HarnessError(
            "TAP is read by tap.py, which is not here", hint='pip install "pytest-pgrestore[tap]".'
        ) from None

    planned, seen = None, 0
    for line in Parser().parse_text(output):
        match line.category:
            case "plan":
                planned = line.expected_tests
            case "bail":
                raise HarnessError("the script gave up (Bail out!)", hint="run it by hand.")
            case "test":
                seen += 1
                yield _result(line, seen, script)
    if planned is None or planned != seen:
        raise HarnessError(
            f"the script planned {'no' if planned is None else planned} tests, and ran {seen}",
            hint="correct its plan(), or use no_plan() and finish().",
        )


def _result(line: Any, number: int, script: str) -> TapResult:
    title = line.description.lstrip("- ").strip()
    left_out = "skip" if line.skip else "todo" if line.todo else ""
    return TapResult(number, bool(line.ok), title if title and title in script else "", left_out)
