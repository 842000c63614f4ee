"""What a file is among dumps: surely one, or roles alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.sources.dump.reading import dump_file

if TYPE_CHECKING:
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_OF_A_DATABASE = b"-- PostgreSQL database dump\n"
"""Begins each database in the output of pg_dumpall; --globals-only has none.

Source: dumpDatabases of pg_dumpall.c, which runs pg_dump; RestoreArchive of pg_backup_archiver.c.
"""

_NAMED_AS_ONE = re.compile(r"\.(?:sql|dump|pgdump)\b", re.IGNORECASE)
_SMALL_BYTES = 1 << 24
"""Globals are smaller; what is larger holds databases. Roles of 16 MiB would be 100,000."""


def is_surely_one(dump: DumpFile) -> bool:
    """Return whether a file that nobody named is a dump, and no other SQL and no WAL.

    Of a file that cannot be decompressed nothing is known but its name.
    """
    if not dump.readable:
        return _NAMED_AS_ONE.search(dump.path.name) is not None
    return dump.is_archive or dump.is_titled


def is_roles(dump: DumpFile) -> bool:
    """Return whether a dump is of roles alone: pg_dumpall --globals-only."""
    return dump.form == "cluster" and not has_databases(dump)


def has_databases(dump: DumpFile) -> bool:
    """Return whether a file of pg_dumpall has databases, and not roles alone."""
    seen, rest = 0, b""
    try:
        for chunk in dump_file.chunks(dump):
            if _OF_A_DATABASE in rest + chunk:
                return True
            rest = chunk[-len(_OF_A_DATABASE) :]
            seen += len(chunk)
            if seen > _SMALL_BYTES:
                return True
    except PgRestoreError:
        return seen > 0 and dump.size_bytes > _SMALL_BYTES
    return False
