"""Whether the system the copy runs on is like the one it came from.

Compared are collations, extensions and preloaded libraries. A difference is not the backup's fault,
so it fails no drill. It names what the drill does not prove.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

DATABASES = (
    "select datname from pg_catalog.pg_database where datallowconn and datname <> 'template0'"
    " order by 1"
)
"""Query for the databases that `fit_of_database` is called for."""

_DATABASE_VERSIONS_SINCE = 150000
"""server_version_num of the first release that records a collation version per database."""

# docs, "ALTER COLLATION", has queries for objects to rebuild; they compare these two versions.
_DATABASE_VERSIONS = """
select datname, datcollversion, coalesce(here, 'none')
from pg_catalog.pg_database, pg_catalog.pg_database_collation_actual_version(oid) here
where datallowconn and datcollversion is distinct from here and datcollversion is not null
order by 1
"""

# Only collations that an index uses: initdb imports hundreds that nothing uses. Provider d is the
# database's own, compared above.
_COLLATION_VERSIONS = """
select collname, collversion, coalesce(here, 'none'), pg_catalog.count(distinct i.indexrelid)
from pg_catalog.pg_collation c join pg_catalog.pg_index i on c.oid = any(i.indcollation),
    pg_catalog.pg_collation_actual_version(c.oid) here
where collprovider <> 'd' and collversion is not null and collversion is distinct from here
group by 1, 2, 3
order by 1
"""

_EXTENSIONS = """
select extname, extversion,
    exists (select from pg_catalog.pg_available_extensions() where name = extname)
from pg_catalog.pg_extension
where not exists (
    select from pg_catalog.pg_available_extension_versions()
    where name = extname and version = extversion
)
order by 1
"""

# A version is a text of any length, which the copy chose.
_INSTALLED = """
select extname::pg_catalog.text, pg_catalog.left(extversion, 100)
from pg_catalog.pg_extension order by 1 limit 1000
"""

_PRELOAD = re.compile(
    r"^[ \t]*((?:shared|session|local)_preload_libraries)"
    r"(?:[ \t]*=[ \t]*|[ \t]+)"
    r"(?:'((?:[^']|'')*)'|([^\s#']+))",
    re.IGNORECASE | re.MULTILINE,
)
"""A line of postgresql.conf (docs, "Parameter Interaction via the Configuration File").

The equals sign, and the quotes around a single word, may be left out.
"""


@dataclass(frozen=True, slots=True)
class Fit:
    """The differences found.

    Attributes:
        not_checked: What the drill does not prove because of them, a sentence each.
        notes: What a reader should know, a line each.
    """

    not_checked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def fit_of_databases(connection: psycopg.Connection[Any]) -> Fit:
    """Return the databases whose collation version is not the one of this system.

    A version is a hint and no proof: systems that sort alike can have different ones, and systems
    that sort differently the same one.

    Args:
        connection: To any database of the copy.
    """
    if connection.info.server_version < _DATABASE_VERSIONS_SINCE:
        unknown = "before 15 databases keep no version."
        return Fit((f"Whether text sorts here as where the backup was made: {unknown}",))
    rows = connection.execute(_DATABASE_VERSIONS).fetchall()
    return Fit(
        tuple(
            f"Whether text sorts here as where the backup was made: database {name} is of collation"
            f" version {was}, this system has {now}. An index on text may miss rows here that"
            " production finds."
            for name, was, now in rows
        )
    )


def fit_of_database(connection: psycopg.Connection[Any]) -> Fit:
    """Return the extensions, and the collations of indexes, that differ in one database.

    Args:
        connection: To that database.
    """
    database = connection.info.dbname
    not_checked = [
        f"Whether {count} indexes of database {database} sort here as where the backup was made:"
        f" collation {name} is of version {was}, this system has {now}."
        for name, was, now, count in connection.execute(_COLLATION_VERSIONS).fetchall()
    ]
    notes = []
    for name, version, here in connection.execute(_EXTENSIONS).fetchall():
        if here:
            notes.append(
                f"extension {name} {version} of database {database} is of a version this server"
                " does not offer"
            )
        else:
            not_checked.append(
                f"What uses extension {name} {version} of database {database}: its files are not on"
                " this server."
            )
    return Fit(tuple(not_checked), tuple(notes))


def installed_extensions(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the versions of the extensions of one database, by name.

    Args:
        connection: To that database.
    """
    return {str(name): str(version) for name, version in connection.execute(_INSTALLED).fetchall()}


def preloads_left_out(configurations: Iterable[str]) -> Fit:
    """Return the libraries that the copy's own configuration loads and the quarantine does not.

    Args:
        configurations: Texts of its configuration files, in the order the server reads them.
            Files they include are not among them.
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
