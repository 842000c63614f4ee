"""Whether every relation has its files: pg_class compared with a listing of the data directory.

A manifest tells more. Without one, a table whose file is gone is found only by the query that reads
it. What is in the files is not compared here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

NAME = "relation files"

SHOWN = 3
"""Findings that the message names."""

# Relations with storage. pg_relation_filepath knows mapped ones (pg_class) and tablespaces too.
# Temporary ones are removed when a server starts, unlogged ones are emptied. Access methods of
# extensions may keep their data elsewhere: built-in ones have an OID below FirstNormalObjectId.
_QUERY = """
select n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
    pg_catalog.pg_relation_filepath(c.oid)::pg_catalog.text, c.relpersistence = 'u',
    case c.relpersistence when 'u' then 0 else c.relpages::pg_catalog.int4 end
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'i', 'S', 't', 'm') and c.relpersistence <> 't' and c.relam < 16384
    and pg_catalog.pg_relation_filepath(c.oid) is not null
"""

_DATABASES = """
select oid::pg_catalog.text, datname::pg_catalog.text,
    case dattablespace when 1663 then 'base' else 'pg_tblspc/' || dattablespace::pg_catalog.text end
from pg_catalog.pg_database where datconnlimit <> -2 order by 2
"""
"""Databases, but those that an interrupted DROP DATABASE left; 1663 is pg_default."""

_SIZES = (
    "select pg_catalog.pg_size_bytes(pg_catalog.current_setting('segment_size')),"
    " pg_catalog.current_setting('block_size')::pg_catalog.int4"
)

_FILE = re.compile(r"([0-9]{1,10})(_init)?(?:\.([0-9]{1,6}))?")
"""Files of the main and of the init fork (docs, "Database File Layout")."""


def is_relation(name: str) -> bool:
    """Tell whether a file's name is that of a main or an init fork."""
    return _FILE.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Sizes:
    """How the server cuts relations.

    Attributes:
        segment_bytes: Size of a file after which the next one begins.
        block_bytes: Size of a page.
    """

    segment_bytes: int
    block_bytes: int


@dataclass(slots=True)
class Listing:
    """The files of relations in a data directory, by the path that pg_relation_filepath gives.

    Attributes:
        main: Size of each segment of the main fork.
        init: Paths that have an init fork.
        folders: Directories of databases that were listed.
    """

    main: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    init: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)

    def add(self, folder: str, name: str, size_bytes: int) -> None:
        """Add a file; one that belongs to no relation is left out."""
        match = _FILE.fullmatch(name)
        if match is None:
            return
        path = f"{folder}/{match[1]}"
        if match[2]:
            self.init.add(path)
        else:
            self.main[path][int(match[3] or 0)] = size_bytes


@dataclass(slots=True)
class Findings:
    """What was found in the databases so far.

    Attributes:
        lost: Relations without a file they must have, a phrase each.
        short: Relations with fewer pages than they had, a phrase each.
        relations: Number of relations compared.
        left_out: Databases that take no connection, as production set them.
        unopened: Databases that should take one and did not, a phrase each.
    """

    lost: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    relations: int = 0
    left_out: list[str] = field(default_factory=list)
    unopened: list[str] = field(default_factory=list)


def lost_databases(connection: psycopg.Connection[Any], listing: Listing) -> list[str]:
    """Return a phrase for each database whose directory is gone.

    Args:
        connection: To any database of the copy.
        listing: The files of the copy.
    """
    return [
        f"database {name} has no directory {place}/.../{oid}"
        if place != "base"
        else f"database {name} has no directory base/{oid}"
        for oid, name, place in connection.execute(_DATABASES).fetchall()
        if not any(
            folder.startswith(f"{place}/") and folder.endswith(f"/{oid}")
            for folder in listing.folders
        )
    ]


def sizes_of(connection: psycopg.Connection[Any]) -> Sizes:
    """Return how the server cuts relations."""
    row = connection.execute(_SIZES).fetchone()
    assert row is not None  # noqa: S101 - a query without FROM gives one row
    return Sizes(int(row[0]), int(row[1]))


def compare(connection: psycopg.Connection[Any], listing: Listing, findings: Findings) -> None:
    """Compare the relations of one database with the listing, and add what is found.

    Args:
        connection: To that database.
        listing: The files of the copy.
        findings: Where to add it.
    """
    sizes, database = sizes_of(connection), connection.info.dbname
    for schema, name, path, unlogged, pages in connection.execute(_QUERY).fetchall():
        findings.relations += 1
        relation = f"{schema}.{name} of database {database}"
        problem = lost_file(path, listing, sizes, unlogged=unlogged)
        if problem:
            findings.lost.append(f"{relation}: {problem}")
            continue
        there = sum(listing.main[path].values()) // sizes.block_bytes
        if there < pages:
            findings.short.append(f"{relation} has {there:,} pages of {pages:,} ({path})")


def lost_file(path: str, listing: Listing, sizes: Sizes, *, unlogged: bool) -> str:
    """Return which file of a relation is gone; empty if none is."""
    segments = listing.main.get(path, {})
    if 0 not in segments:
        return f"its file {path} is gone"
    if unlogged and path not in listing.init:
        return f"its file {path}_init is gone"
    # A file of no bytes is left by a truncation (mdtruncate in src/backend/storage/smgr/md.c). The
    # same file tells that a server reads no further than a segment that is not full.
    last = max((number for number, size in segments.items() if size), default=0)
    for number in range(last):
        shown = f"{path}.{number}" if number else path
        if number not in segments:
            return f"its file {shown} is gone, and {path}.{last} is there"
        if segments[number] != sizes.segment_bytes:
            return f"its file {shown} is cut short, and {path}.{last} is there"
    return ""


def relation_files(findings: Findings, problem: str = "") -> Check:
    """Return the check.

    Args:
        findings: Of every database.
        problem: Why the files could not be listed; empty if they could.
    """
    compared = f"{findings.relations:,} relations compared with the files of the copy"
    if findings.lost:
        verdict, message = Verdict.FAILED, f"files are lost: {_named(findings.lost)}"
    elif problem:
        verdict, message = Verdict.COULD_NOT_VERIFY, problem
    elif findings.unopened:
        verdict = Verdict.COULD_NOT_VERIFY
        message = (
            f"not every database could be opened: {_named(findings.unopened)}; install what the"
            " message lacks on this machine (a locale?), or see whether production opens it"
        )
    elif findings.short:
        # VACUUM counts what it left, so files only grow after it. Recovery can stop between the
        # two, and pg_restore_relation_stats (18) writes any number.
        verdict = Verdict.COULD_NOT_VERIFY
        message = (
            "fewer pages than the last VACUUM or ANALYZE counted, so the end of a file may be lost:"
            f" {_named(findings.short)}; run ANALYZE in production and take a new backup, with a"
            " manifest"
        )
    else:
        verdict = Verdict.PASSED
        message = f"{compared}: each has them; what is in them was not compared"
    return Check(name=NAME, verdict=verdict, message=message, observed=compared)


def not_compared(findings: Findings) -> list[str]:
    """Return a sentence for each database that was left out."""
    return [
        f"The files of database {name}: it takes no connection, so its relations are not known."
        for name in findings.left_out
    ]


def _named(findings: Sequence[str]) -> str:
    more = f" and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    return "; ".join(findings[:SHOWN]) + more
