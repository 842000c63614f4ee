"""The first test of each source, in Python, as a user would write it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD = '''\
"""The first test of each backup, written by `pgrestore init`. Change it: it is yours.

pytest restores each source once. The tests below and the drill files beside this one share that
restore. docs/assertions.md shows what else can be said of a restored database.
"""

import pytest

TABLES = """
    select count(*) from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
"""
'''

_TEST = '''

@pytest.mark.pgrestore({source})
def test_{name}_has_tables(pgrestore_conn):
    """Replace it by what must be true of your data, such as the number of orders."""
    assert pgrestore_conn.execute(TABLES).fetchone()[0] > 0
'''

_ANY_DATABASE = '''

@pytest.mark.pgrestore({source})
def test_{name}_has_tables(pgrestore_instance):
    """Replace it by what must be true of your data, and name its database in pgrestore.toml."""
    with pgrestore_instance.connect() as connection:
        query = "select datname from pg_catalog.pg_database where datallowconn"
        databases = [name for (name,) in connection.execute(query)]
    tables = 0
    for name in databases:
        with pgrestore_instance.connect(name) as connection:
            tables += connection.execute(TABLES).fetchone()[0]
    assert tables > 0
'''


def first_tests(sources: Iterable[tuple[str, bool]]) -> str:
    """Return the text of ``test_restore.py``.

    Args:
        sources: Each with its name, and whether it is known which database its tests connect to.
    """
    text, given = _HEAD, set()
    for source, is_known in sources:
        name, number = identifier(source), 1
        while name in given:
            number += 1
            name = f"{identifier(source)}_{number}"
        given.add(name)
        template = _TEST if is_known else _ANY_DATABASE
        text += template.format(source=json.dumps(source), name=name)
    return text


def identifier(name: str) -> str:
    """Return a part of a name of Python for the name of a source."""
    return re.sub(r"\W", "_", name, flags=re.ASCII).lower()
