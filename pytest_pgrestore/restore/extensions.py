"""The extensions of the restored databases, with their versions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.checks.environment import DATABASES, installed_extensions

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.restore.instance import ConnectionInfo

_MOST_DATABASES = 100
"""Databases that are asked: a copy can have any number."""


def extensions_by_database(
    access: ConnectionInfo, connection: psycopg.Connection[Any]
) -> dict[str, dict[str, str]]:
    """Return the versions of the extensions by database, of as many as there is time for."""
    import psycopg

    names = [str(name) for (name,) in connection.execute(DATABASES).fetchall()]
    deadline = time.monotonic() + access.timeout_seconds
    found = {}
    for name in names[:_MOST_DATABASES]:
        if name == "template1" or time.monotonic() > deadline:
            continue
        try:
            with access.ask(name) as session:
                found[name] = installed_extensions(session)
        except psycopg.Error:
            continue  # a database that cannot be opened is told where it is a finding
    return found
