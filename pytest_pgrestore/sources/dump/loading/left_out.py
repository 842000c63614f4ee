"""Entries of an archive that pg_restore does not get: a new server has them, or the user said so.

By hand, each of the first kind is one harmless error: initdb and CREATE DATABASE make the schema
public and the language plpgsql. Sources: src/bin/initdb/initdb.c, load_plpgsql; pg_dump.c,
selectDumpableNamespace (``--schema=public``, and every dump before 11, has the schema).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sources.dump.loading.tolerated import Tolerated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import psycopg

    from pytest_pgrestore.sources.dump.reading.entries import Entry
    from pytest_pgrestore.sources.dump.reading.toc import Toc

_THERE = {
    ("SCHEMA", "public"): "CREATE SCHEMA public",
    ("EXTENSION", "plpgsql"): "CREATE EXTENSION plpgsql",
    ("PROCEDURAL LANGUAGE", "plpgsql"): "CREATE LANGUAGE plpgsql",
}
_OWNED = ("SCHEMA", "PROCEDURAL LANGUAGE")
_BELONGS = ("COMMENT ", "TABLE DATA ", "SEQUENCE SET ", "ACL ", "SECURITY LABEL ")
"""Types of entries that need their extension and nothing else of the dump."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is left out of one archive.

    Attributes:
        ids: Numbers of the lines of its list.
        owners: Entries that exist already, whose owner is set without pg_restore.
        tolerated: What the evidence says about it.
    """

    ids: frozenset[int]
    owners: tuple[Entry, ...]
    tolerated: Tolerated


def left_out(contents: Toc, skipped: Collection[str]) -> LeftOut:
    """Return what of an archive is left out; `skipped`: the user's list of extensions."""
    tolerated = Tolerated()
    there: list[Entry] = []
    gone: list[Entry] = []
    for entry in contents.of_type("SCHEMA", "EXTENSION", "PROCEDURAL LANGUAGE"):
        statement = _THERE.get((entry.type, entry.name))
        if entry.type == "EXTENSION" and entry.name in skipped:
            tolerated.note_skipped(entry.name)
            gone.append(entry)
        elif statement is not None:
            tolerated.note(statement, f"a new database has that {entry.type.split()[-1].lower()}")
            there.append(entry)
    ids = _ids(contents, there)
    lost = _ids(contents, gone)
    ids |= lost | {
        line.id
        for line in contents.listed
        if line.text.startswith(_BELONGS) and lost & set(line.depends)
    }
    owners = tuple(entry for entry in there if entry.type in _OWNED and entry.owner)
    return LeftOut(frozenset(ids), owners, tolerated)


def set_owners(session: psycopg.Connection[Any], entries: Iterable[Entry]) -> None:
    """Give what exists already the owner that the archive names; by hand pg_restore does."""
    from psycopg import sql

    for entry in entries:
        query = "select 1 from pg_roles where rolname = %s"
        if session.execute(query, [entry.owner]).fetchone() is not None:
            session.execute(
                sql.SQL("alter {} {} owner to {}").format(
                    sql.SQL("schema" if entry.type == "SCHEMA" else "language"),
                    sql.Identifier(entry.name),
                    sql.Identifier(entry.owner),
                )
            )


def _ids(contents: Toc, entries: list[Entry]) -> set[int]:
    keys = {entry.key for entry in entries}
    return {line.id for line in contents.listed if line.text in keys}
