"""The test that `pgrestore assertions` has pytest run: it surveys the restored database.

Its outcome goes back to the command as a file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.proposals.survey import Survey
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.restore.databases import read_databases
from pytest_pgrestore.session.collection.sql_assertion import given_by
from pytest_pgrestore.session.instances import connect
from pytest_pgrestore.session.own_faults import own_fault

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.restore.instance import RestoredInstance

LOGS = "reports/logs"
"""Below the directory of the run."""

TEXT, DATABASE, OTHERS, TEXTS = "text", "database", "others", "texts"
"""Keys of the file: the drill file, which is "" if there is nothing to assert; the database; the
other ones of the backup; drill files for those.
"""

_MOST_DATABASES = 20
_BY_SIZE = (
    "select datname::pg_catalog.text from pg_catalog.pg_database"
    " order by pg_catalog.pg_database_size(oid) desc, 1"
)


def survey(
    instance: RestoredInstance, arguments: dict[str, Any], path: Path, *, every: bool = False
) -> None:
    """Write the proposal to `path`.

    Args:
        instance: The restored server.
        arguments: Of the drill, by the keys of a drill file.
        path: Gets the keys above, as JSON.
        every: Whether the other databases are looked at, too.
    """
    import psycopg

    connect(instance).close()  # a database that is not there, or is closed, is told as ever
    own = instance.access.database
    try:
        text = _drill_file(instance, arguments, own)
        with instance.access.ask() as connection:
            known = {one.name: one for one in read_databases(connection) if not one.template}
            sizes = [str(name) for (name,) in connection.execute(_BY_SIZE).fetchall()]
        others = [name for name in known if name != own]
        looked_at = [name for name in sizes if name in others and not known[name].why_closed]
        texts = {}
        for name in looked_at[:_MOST_DATABASES] if every else ():
            texts[name] = _drill_file(instance, arguments | {"database": name}, name)
    except (psycopg.Error, PgRestoreError):
        raise
    except Exception as exc:  # noqa: BLE001 - a catalogue that was altered may give anything
        raise own_fault(exc, "looking for assertions", path.parent / LOGS) from None
    found = {name: one for name, one in texts.items() if one}
    content = {TEXT: text, DATABASE: own, OTHERS: others, TEXTS: found}
    path.write_text(json.dumps(content), encoding="utf-8")


def _drill_file(instance: RestoredInstance, arguments: dict[str, Any], database: str) -> str:
    """Return the drill file for a database; "" if there is nothing to assert."""
    with instance.access.ask(database) as connection:
        found = Survey(connection, given_by(instance)).propose()
    record = instance.record
    label = f"backup {record.backup.label}" if record.backup is not None else "a backup"
    title = (
        f"Proposed by `pgrestore assertions` from {record.drill}, {label}. All of it is true of it."
        " Whether it must be true of each, you decide: correct the numbers, and take out what may"
        " change. Messages show counts and ages, and no row."
    )
    return found.drill_file(title, arguments) if found.proposals else ""
