"""SQL that makes what Supabase's platform has and its dumps do not: roles, schemas, tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError, PgRestoreError
from pytest_pgrestore.sources.codecs import open_plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ROLES = (
    *("anon", "authenticated", "authenticator", "dashboard_user", "pgbouncer", "service_role"),
    *("supabase_admin", "supabase_auth_admin", "supabase_etl_admin", "supabase_functions_admin"),
    *("supabase_read_only_user", "supabase_realtime_admin", "supabase_replication_admin"),
    *("supabase_storage_admin", "pgsodium_keyholder", "pgsodium_keyiduser", "pgsodium_keymaker"),
)
"""Reserved roles: ``--role-only`` never creates them."""

_SCHEMAS = (
    *("auth", "extensions", "graphql", "graphql_public", "pgbouncer", "realtime", "storage"),
    *("supabase_functions", "vault"),
)

_FUNCTIONS = """
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';
CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';
CREATE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT NULL::jsonb';
CREATE FUNCTION storage.filename(name text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
CREATE FUNCTION storage.extension(name text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
CREATE FUNCTION storage.foldername(name text) RETURNS text[] LANGUAGE sql AS 'SELECT NULL::text[]';
CREATE FUNCTION supabase_functions.http_request() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RETURN new; END';
"""
"""Stubs: policies and triggers name these functions. Nobody is logged in to a restored copy."""

_TYPES = {("auth", "id"): "uuid", ("storage.objects", "id"): "uuid"}
"""Types of columns that tables of a project refer to; other columns take their text."""

_MOST_NAMES = 10_000

_NAME = r'"((?:[^"]|""){1,63})"'
_ROWS = re.compile(rf"(?:COPY|INSERT INTO) {_NAME}\.{_NAME} \(([^)]*)\) (?:FROM stdin;|VALUES)")
_SEQUENCE = re.compile(rf"SELECT pg_catalog\.setval\('{_NAME}\.{_NAME}',")
_REFERENCE = re.compile(rf"REFERENCES {_NAME}\.{_NAME}\(([^)]*)\)")
_MADE = re.compile(rf"CREATE (?:TABLE|SEQUENCE)(?: IF NOT EXISTS)? {_NAME}\.{_NAME}")
_MADE_SCHEMA = re.compile(rf"CREATE SCHEMA (?:IF NOT EXISTS )?{_NAME};")
_MADE_ROLE = re.compile(rf"CREATE ROLE {_NAME};")
_COLUMN = re.compile(_NAME)

_Table = tuple[str, str]


@dataclass
class _Needs:
    """What dumps name and make.

    Attributes:
        columns: Table to the columns that rows or keys name.
        keys: Table to the columns that a foreign key refers to.
        sequences: Those that are set.
        made: Tables and sequences that the dumps make.
        schemas: Those that they make.
        roles: Those that they make.
        has_rows: Whether rows were seen in the file that is read.
    """

    columns: dict[_Table, dict[str, None]] = field(default_factory=dict)
    keys: dict[_Table, set[tuple[str, ...]]] = field(default_factory=dict)
    sequences: dict[_Table, None] = field(default_factory=dict)
    made: set[_Table] = field(default_factory=set)
    schemas: set[str] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)
    has_rows: bool = False

    def take(self, line: str) -> bool:
        """Take what a line says; return whether rows of COPY follow it."""
        if found := _ROWS.match(line):
            self.has_rows = True
            columns = self.columns.setdefault((found[1], found[2]), {})
            columns.update(dict.fromkeys(_COLUMN.findall(found[3])))
            return line.startswith("COPY")
        if found := _SEQUENCE.match(line):
            self.sequences[found[1], found[2]] = None
        elif self.has_rows:
            return False  # a line of a text may look like anything
        elif found := _MADE.match(line):
            self.made.add((found[1], found[2]))
        elif found := _MADE_SCHEMA.match(line):
            self.schemas.add(found[1])
        elif found := _MADE_ROLE.match(line):
            self.roles.add(found[1])
        for found in _REFERENCE.finditer(line):
            key = tuple(_COLUMN.findall(found[3]))
            self.columns.setdefault((found[1], found[2]), {}).update(dict.fromkeys(key))
            self.keys.setdefault((found[1], found[2]), set()).add(key)
        return False


def prelude(paths: Iterable[Path]) -> str:
    """Return the SQL for some files of ``supabase db dump``.

    Raises:
        ConfigError: A file cannot be read, or names too much.
    """
    needs = _Needs()
    for path in paths:
        try:
            _read(path, needs)
        except (OSError, EOFError, PgRestoreError) as exc:
            reason = exc.problem if isinstance(exc, PgRestoreError) else exc
            raise ConfigError(
                f"{path} cannot be read: {reason}", hint="name the files of supabase db dump."
            ) from exc
    return "".join(f"{line}\n" for line in _statements(needs))


def _read(path: Path, needs: _Needs) -> None:
    """Read a file; rows are passed over."""
    in_rows = needs.has_rows = False
    with open_plain(path) as stream:
        # A line may be a row of any length: only its beginning is looked at.
        while piece := stream.readline(1 << 16):
            is_whole = piece.endswith(b"\n")
            ended = in_rows and piece == b"\\.\n"
            in_rows = not ended if in_rows else needs.take(piece.decode(errors="replace"))
            while not is_whole and (rest := stream.readline(1 << 16)):
                is_whole = rest.endswith(b"\n")
            if len(needs.columns) + len(needs.sequences) + len(needs.made) > _MOST_NAMES:
                raise ConfigError(
                    f"{path} names more than {_MOST_NAMES:,} tables", hint="write `before` by hand."
                )


def _statements(needs: _Needs) -> list[str]:
    """Return the statements, in an order in which they can run."""
    tables = [one for one in needs.columns if one not in needs.made]
    sequences = [one for one in needs.sequences if one not in needs.made]
    schemas = {*_SCHEMAS, *(one[0] for one in (*tables, *sequences))} - needs.schemas - {"public"}
    return [
        "-- What Supabase's platform has and a dump of a project does not. Stand-ins: columns that",
        "-- no table of yours refers to take their values as text.",
        *(f"CREATE ROLE {role};" for role in sorted({*_ROLES} - needs.roles)),
        *(f"CREATE SCHEMA {_quoted(schema)};" for schema in sorted(schemas)),
        _FUNCTIONS.strip(),
        *(_table(one, needs) for one in tables if one[0] != "public"),
        *(f"CREATE SEQUENCE {_dotted(one)};" for one in sequences if one[0] != "public"),
    ]


def _table(table: _Table, needs: _Needs) -> str:
    parts = [
        *(f"    {_quoted(column)} {_type(table, column)}" for column in needs.columns[table]),
        *(
            f"    UNIQUE ({', '.join(map(_quoted, key))})"
            for key in sorted(needs.keys.get(table, ()))
        ),
    ]
    return f"CREATE TABLE {_dotted(table)} (\n" + ",\n".join(parts) + "\n);"


def _type(table: _Table, column: str) -> str:
    schema, name = table
    whole = _TYPES.get((f"{schema}.{name}", column))
    if (schema, name, column) == ("auth", "refresh_tokens", "id"):
        return "bigint"
    return whole or _TYPES.get((schema, column), "text")


def _quoted(name: str) -> str:
    """Return a name as it stands in SQL; `name` is as the dump quoted it."""
    return f'"{name}"'


def _dotted(table: _Table) -> str:
    return f"{_quoted(table[0])}.{_quoted(table[1])}"
