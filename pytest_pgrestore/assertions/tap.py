"""Scripts of pgTAP: run on a private copy, and their output read by a TAP library.

Source: pgTAP's documentation, "Usage"; testanything.org, TAP 12 and 13.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.damage import is_damage
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.visible import visible

if TYPE_CHECKING:
    import psycopg

_PSQL = re.compile(r"^[ \t]*\\(\w+)[^\n]*$", re.MULTILINE)
"""A line with a command of psql."""

_HARMLESS = frozenset({"set", "unset", "pset", "echo", "timing", "x", "t", "a", "q"})
"""Commands of psql that only change how it prints; pgTAP's own scripts begin with them."""

_WORD = re.compile(r"\w+")

_OF_PGTAP = frozenset(
    _WORD.findall("""
    a an and are be both by can cannot cast class column columns composite constraint constraints
    covering database default domain domains enum enums exist exists extension extensions foreign
    function functions group groups has have in index indexes inherits is key label labels
    language languages leakproof match materialized member not null of on operator or other owned
    partition policy primary privileges procedure relation result results return returns role
    roles rows rule rules schema schemas sequence sequences server set should table tables
    tablespace that the throw to trigger triggers type types unique user users view views with
    wrapper
    """)
)
"""Words in the descriptions that pgTAP gives to tests that have none."""

_NO_EXTENSION = frozenset({"0A000", "58P01"})
"""SQLSTATE feature_not_supported and undefined_file: the extension is not installed here."""


@dataclass(frozen=True, slots=True)
class TapResult:
    """One ``ok`` or ``not ok``.

    Attributes:
        number: From 1.
        ok: Whether it is.
        title: Its description, if its words are those of the script or of pgTAP: others may be a
            row's.
        left_out: Why it does not count, for ``# SKIP`` and ``# TODO``; "" if it counts.
        details: What pgTAP says of it, with values of rows.
    """

    number: int
    ok: bool
    title: str
    left_out: str
    details: str = ""


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


def add_pgtap(connection: psycopg.Connection[Any]) -> None:
    """Add the extension to a database, if it is not there.

    Raises:
        HarnessError: pgTAP is not installed here.
        psycopg.Error: It could not be added.
    """
    import psycopg

    try:
        connection.execute("create extension if not exists pgtap")
    except psycopg.Error as exc:
        if exc.sqlstate in _NO_EXTENSION and not is_damage(exc.sqlstate, str(exc)):
            raise HarnessError(
                "the extension pgtap is not installed beside the server programs",
                hint="install it (Debian: postgresql-NN-pgtap); in containers name that package in"
                " sandbox.packages.",
            ) from None
        raise


def run_script(connection: psycopg.Connection[Any], sql: str) -> str:
    """Return what a script prints, line by line.

    Args:
        connection: Writable, in autocommit mode: scripts begin and roll back by themselves.
        sql: See `sql_of`.

    Raises:
        psycopg.Error: The script failed.
    """
    cursor = connection.execute(sql.encode())
    lines: list[str] = []
    while True:
        if cursor.description is not None:
            lines += [str(row[0]) for row in cursor.fetchall() if row and row[0] is not None]
        if not cursor.nextset():
            return "\n".join(lines)


def read_tap(output: str, script: str) -> list[TapResult]:
    """Return the results in TAP.

    Args:
        output: See `run_script`.
        script: Its text.

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

    words = {word.lower() for word in _WORD.findall(script)} | _OF_PGTAP
    planned = None
    results: list[TapResult] = []
    for line in Parser().parse_text(output):
        match line.category:
            case "plan":
                planned = line.expected_tests
            case "bail":
                raise HarnessError("the script gave up (Bail out!)", hint="run it by hand.")
            case "test":
                results.append(_result(line, len(results) + 1, words))
            case "diagnostic" if results:
                details = f"{results[-1].details}\n{line.text}".strip()
                results[-1] = replace(results[-1], details=details)
    if planned is None or planned != len(results):
        raise HarnessError(
            f"the script planned {'no' if planned is None else planned} tests, and ran"
            f" {len(results)}",
            hint="correct its plan(), or use no_plan() and finish().",
        )
    if not results:
        raise HarnessError("the script ran no test", hint="write one, or leave the script out.")
    return results


def _result(line: Any, number: int, words: set[str]) -> TapResult:
    title = visible(line.description.lstrip("- ").strip())
    if not {word.lower() for word in _WORD.findall(title)} <= words:
        title = ""
    left_out = "skip" if line.skip else "todo" if line.todo else ""
    return TapResult(number, bool(line.ok), title, left_out)
