"""Which errors of a restored server are words about the backup: its files are lost or damaged."""

from __future__ import annotations

import re

_DAMAGE = ("XX001", "XX002")
"""SQLSTATE data_corrupted and index_corrupted (PostgreSQL docs, appendix "Error Codes")."""

_MISSING_FILE = "58P01"
"""SQLSTATE undefined_file.

It is also that of a library that is not installed, and of a file that a statement of the user's
names. So the message decides.
"""

_OWN_FILE = re.compile(
    # md.c, fd.c, relmapper.c: 'could not open file "base/5/16392": No such file or directory'.
    r'could not (?:open|read|stat|access)[^"\n]*'
    r' "(?:base/(?!pgsql_tmp)|global/|pg_tblspc/[0-9]+/(?!.*pgsql_tmp)|pg_xact|pg_multixact'
    r"|pg_commit_ts|pg_filenode\.map)"
    # slru.c; the file is in its DETAIL.
    r"|could not access status of transaction"
    # InitPostgres in postinit.c: 'The database subdirectory "base/16389" is missing.'
    r'|database subdirectory "[^"\n]*" is missing'
    # ValidatePgVersion in miscinit.c: the PG_VERSION of a database is gone, or holds no number.
    r'|"(?:base|pg_tblspc)/[^"\n]*" is not a valid data directory'
)

_READ = re.compile(
    r"invalid page in block [0-9]+ of relation"
    r"|could not read blocks? [0-9.]+ in file [^\n]*: read only [0-9]+ of [0-9]+ bytes"
    r"|could not read file [^\n]*: read [0-9]+ of [0-9]+"
    r'|relation mapping file "[^"\n]*" contains (?:invalid data|incorrect checksum)'
)
"""Messages of bufmgr.c, md.c and relmapper.c, which a refused login has without its SQLSTATE."""

CAUSE = "the restored server lacks a file of its own, or reads damage: so it is in the backup"


def is_damage(sqlstate: str | None, message: str) -> bool:
    """Tell whether an error of the restored server is about lost or damaged files of the backup.

    Args:
        sqlstate: Of the error; empty or None for a refused login, which has none in libpq.
        message: Of the error, with its detail.
    """
    if sqlstate in _DAMAGE:
        return True
    if sqlstate == _MISSING_FILE:
        return _OWN_FILE.search(message) is not None
    if not sqlstate:
        return _OWN_FILE.search(message) is not None or _READ.search(message) is not None
    return False


def words_of_refusal(message: str) -> str:
    """Return what the server said to a refused login, without what libpq puts before it."""
    said = message.partition("FATAL:")[2] or message
    return "; ".join(line.strip() for line in said.splitlines() if line.strip())
