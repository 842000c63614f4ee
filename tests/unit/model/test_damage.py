"""Errors of the restored server that are words about the backup, and their neighbours."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.damage import is_damage

DAMAGE = [
    ("XX001", "invalid page in block 0 of relation base/5/16384"),
    ("XX001", 'could not read block 5 in file "base/5/16384": read only 0 of 8192 bytes'),
    ("XX001", "missing chunk number 0 for toast value 16390 in pg_toast_16384"),
    ("XX002", 'index "orders_pkey" contains unexpected zero page at block 3'),
    ("58P01", 'could not open file "base/5/16392": No such file or directory'),
    ("58P01", 'could not open file "pg_tblspc/16385/PG_15_202209061/5/16386": No such file'),
    ("58P01", 'could not open file "base/5/16392.1" (target block 131072): No such file'),
    ("58P01", 'could not access status of transaction 7\nDETAIL: Could not open "pg_xact/0000"'),
    ("", 'FATAL:  could not open relation mapping file "global/pg_filenode.map": No such file'),
    (
        "",
        (
            'FATAL:  database "shop" does not exist\n'
            'DETAIL:  The database subdirectory "base/16389" is missing.'
        ),
    ),
    (None, 'FATAL:  could not open file "base/5/1259": No such file or directory'),
    (
        None,
        (
            'FATAL:  "base/16385" is not a valid data directory\n'
            'DETAIL:  File "base/16385/PG_VERSION" is missing.'
        ),
    ),
]

NONE = [
    # An extension that is not installed here.
    ("58P01", 'could not access file "$libdir/postgis-3": No such file or directory'),
    ("58P01", 'could not open extension control file "/usr/share/x.control": No such file'),
    # A file that a statement of the user's names.
    ("58P01", 'could not open file "/data/import.csv" for reading: No such file or directory'),
    ("58P01", 'could not open file "base/pgsql_tmp/pgsql_tmp12.0": No such file or directory'),
    ("58030", 'could not read block 5 in file "base/5/16384": Input/output error'),
    ("42P01", 'relation "orders" does not exist'),
    ("53100", 'could not extend file "base/5/16384": No space left on device'),
    ("", "server closed the connection unexpectedly"),
    ("", 'FATAL:  database "shop" does not exist'),
    (None, 'FATAL:  database "shop" is not currently accepting connections'),
]


@pytest.mark.parametrize(("state", "message"), DAMAGE)
def test_lost_and_damaged_files_are_words_about_the_backup(state: str, message: str) -> None:
    """Whoever meets them first: an assertion, a question of ours, or a login."""
    assert is_damage(state, message)


@pytest.mark.parametrize(("state", "message"), NONE)
def test_what_is_missing_here_is_not(state: str, message: str) -> None:
    """The same SQLSTATE is that of a library which is not installed."""
    assert not is_damage(state, message)
