"""Whether the place where the copy runs is like the one it came from: collations, extensions, preloaded libraries.

What does not fit says nothing about the backup, so nothing here fails a drill; it says what the drill does not prove.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

DATABASES = (
    "select datname from pg_database where datallowconn and datname <> 'template0' order by 1"
)
"""Databases that are asked one by one."""

_DATABASE_VERSIONS_SINCE = 150000

_DATABASE_VERSIONS = """
select datname, datcollversion, coalesce(pg_database_collation_actual_version(oid), 'none')
from pg_database
where datallowconn and datcollversion is distinct from pg_database_collation_actual_version(oid)
    and datcollversion is not null
order by 1
"""

# Only those an index is sorted by: initdb imports hundreds of collations that nothing uses.
_COLLATION_VERSIONS = """
select collname, collversion, coalesce(pg_collation_actual_version(c.oid), 'none'), count(distinct i.indexrelid)
from pg_collation c join pg_index i on c.oid = any(i.indcollation)
where collprovider <> 'd' and collversion is not null
    and collversion is distinct from pg_collation_actual_version(c.oid)
group by 1, 2, 3
order by 1
"""

_EXTENSIONS = """
select extname, extversion, exists (select from pg_available_extensions where name = extname)
from pg_extension
where not exists (select from pg_available_extension_versions where name = extname and version = extversion)
order by 1
"""

_PRELOAD = re.compile(
    r"^[ \t]*((?:shared|session|local)_preload_libraries)(?:[ \t]*=[ \t]*|[ \t]+)(?:'((?:[^']|'')*)'|([^\s#']+))",
    re.IGNORECASE | re.MULTILINE,
)
"""A line of postgresql.conf; the equals sign and quotes around a single word may be left out."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What does not fit.

    Attributes:
        not_checked: What the drill does not prove because of it, a sentence each.
        notes: What a reader should know.
    """

    not_checked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def fit_of_databases(connection: psycopg.Connection[Any]) -> Fit:
    """Return which databases were sorted by another version of the system's collations than the one here.

    A version is a hint and no proof: systems that sort alike have different ones, and the other way round.

    Args:
        connection: To any database of the copy.
    """
    if connection.info.server_version < _DATABASE_VERSIONS_SINCE:
        return Fit(
            (
                "Whether text sorts here as where the backup was made: before 15 databases keep no version.",
            )
        )
    rows = connection.execute(_DATABASE_VERSIONS).fetchall()
    return Fit(
        tuple(
            f"Whether text sorts here as where the backup was made: database {name} is of collation version {was},"
            f" this system has {now}. An index on text may miss rows here that production finds."
            for name, was, now in rows
        )
    )


def fit_of_database(connection: psycopg.Connection[Any]) -> Fit:
    """Return which collations that indexes use, and which extensions, are others here than in the copy.

    Args:
        connection: To the database in question.
    """
    database = connection.info.dbname
    not_checked = [
        f"Whether {count} indexes of database {database} sort here as where the backup was made: collation {name} is of"
        f" version {was}, this system has {now}."
        for name, was, now, count in connection.execute(_COLLATION_VERSIONS).fetchall()
    ]
    notes = []
    for name, version, here in connection.execute(_EXTENSIONS).fetchall():
        if here:
            notes.append(
                f"extension {name} {version} of database {database} is of a version this server does not offer"
            )
        else:
            not_checked.append(
                f"What uses extension {name} {version} of database {database}: its files are not on this server."
            )
    return Fit(tuple(not_checked), tuple(notes))


def preloads_left_out(configurations: Iterable[str]) -> Fit:
    """Return the libraries the copy's own configuration loads and the quarantine does not.

    Args:
        configurations: Texts of the carried configuration files, in the order the server reads them. What they
            include is not among them.
    """
    wanted: dict[str, Sequence[str]] = {}
    for text in configurations:
        for name, quoted, bare in _PRELOAD.findall(text):
            words = (word.strip().strip('"') for word in (quoted or bare).split(","))
            wanted[name.lower()] = [word for word in words if word]
    return Fit(
        notes=tuple(
            f"not loaded here, by quarantine: {', '.join(libraries)} ({name} of the copy)"
            for name, libraries in wanted.items()
            if libraries
        )
    )
