"""Roles that an archive names although it is restored without owners and privileges.

``pg_restore --no-owner --no-privileges`` still creates policies and user mappings, which name
roles. Source: src/bin/pg_dump/pg_dump.c, dumpPolicy and dumpUserMappings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sources.dump.loading.psql.lexer import PsqlLexer
from pytest_pgrestore.sources.dump.loading.sql_rewrite import StandIns

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.dump.loading.archive_input import ArchiveInput

TYPES = ("POLICY", "USER MAPPING")
"""Types of entries that name roles in such a restore."""

_SCRIPT = ("--schema-only", "--no-owner", "--no-privileges", "--file=-")
_NAMING = (b"CREATE POLICY ", b"CREATE USER MAPPING ")


def make_roles(
    archive: ArchiveInput, programs: PostgresPrograms, session: psycopg.Connection[Any], name: str
) -> None:
    """Create roles without rights for the policies and user mappings of an archive."""
    done = programs.run(
        "pg_restore", *_SCRIPT, *archive.arguments, stdin=archive.stdin, check=False
    )
    stand_ins = StandIns(session)
    for pieces in PsqlLexer(name).pieces([done.stdout.encode("utf-8", errors="replace")]):
        for piece in pieces:
            if piece.kind == "statement" and piece.text.startswith(_NAMING):
                stand_ins.make(piece.text)
