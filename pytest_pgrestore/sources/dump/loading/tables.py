"""Choosing some tables of an archive, with everything that belongs to them.

``pg_restore --table`` restores the table and its rows only: no index, key, type or sequence value.
Source: PostgreSQL docs, pg_restore, note on ``--table``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_pgrestore.sources.dump.reading.entries import Entry
    from pytest_pgrestore.sources.dump.reading.toc import Listed, Toc

_TABLES = ("TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW")
_NAMED = 10
"""Number of tables named in a message."""

_ATTACHED = frozenset(
    {
        "ACL",
        "CHECK CONSTRAINT",
        "COMMENT",
        "CONSTRAINT",
        "DEFAULT",
        "INDEX",
        "INDEX ATTACH",
        "MATERIALIZED VIEW DATA",
        "POLICY",
        "ROW SECURITY",
        "RULE",
        "SECURITY LABEL",
        "SEQUENCE",
        "SEQUENCE OWNED BY",
        "SEQUENCE SET",
        "STATISTICS",
        "STATISTICS DATA",
        "TABLE ATTACH",
        "TABLE DATA",
        "TRIGGER",
    }
)
"""Types of entries that are chosen together with an entry they depend on.

TABLE ATTACH adds the partitions of a table.
"""

_TRUE_TABLES = ("TABLE ", "SEQUENCE ", "MATERIALIZED VIEW ", "FOREIGN TABLE ")


def choose_tables(contents: Toc, wanted: tuple[str, ...]) -> set[int]:
    """Return the numbers of the list's lines that restore the tables `wanted`.

    A foreign key is included if the table it references is.

    Args:
        contents: Table of contents of the archive.
        wanted: Names of tables, with or without schema.

    Raises:
        BackupNotRestorable: The dump does not contain one of the tables.
    """
    lines = {line.id: line for line in contents.listed}
    attached = defaultdict[int, list[int]](list)
    for line in lines.values():
        if line.type in _ATTACHED:
            for carrier in _carriers(lines, line):
                attached[carrier].append(line.id)
    chosen = set[int]()
    waiting = _ids(contents, [entry for name in wanted for entry in _named(contents, name)])
    while waiting:
        number = waiting.pop()
        if number in lines and number not in chosen:
            chosen.add(number)
            waiting += [*lines[number].depends, *attached[number]]
    return chosen | {
        line.id
        for line in lines.values()
        if line.type == "FK CONSTRAINT"
        and {number for number in line.depends if number in lines} <= chosen
    }


def use_list(contents: Toc, chosen: set[int]) -> str:
    """Return the content of the file for ``pg_restore --use-list``, in the archive's order."""
    return "".join(f"{line.id}; 0 0 {line.text}\n" for line in contents.listed if line.id in chosen)


def entries_of(contents: Toc, chosen: set[int]) -> tuple[Entry, ...]:
    """Return the entries of the chosen lines."""
    texts = {line.text for line in contents.listed if line.id in chosen}
    return tuple(entry for entry in contents.entries if entry.key in texts)


def _named(contents: Toc, wanted: str) -> list[Entry]:
    """Return the tables called `wanted`; see `choose_tables` for the error raised."""
    tables = contents.of_type(*_TABLES)
    found = [entry for entry in tables if wanted in (entry.name, f"{entry.schema}.{entry.name}")]
    if not found:
        names = sorted(f"{entry.schema}.{entry.name}" for entry in tables)
        listed = ", ".join(names[:_NAMED]) + (
            f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        )
        raise BackupNotRestorable(
            f"table {wanted} is not in the dump; it holds {listed or 'no table'}",
            hint="correct `tables` in the source, or the dump job.",
        )
    return found


def _ids(contents: Toc, entries: Iterable[Entry]) -> list[int]:
    keys = {entry.key for entry in entries}
    return [line.id for line in contents.listed if line.text in keys]


def _carriers(lines: dict[int, Listed], line: Listed) -> set[int]:
    """Return the entries that `line` belongs to: tables and sequences, otherwise any."""
    there = {number for number in line.depends if number in lines}
    if line.type == "TABLE ATTACH":
        return there
    tables = {number for number in there if lines[number].text.startswith(_TRUE_TABLES)}
    return tables or there
