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

TEXT, DATABASE, OTHERS = "text", "database", "others"
"""Keys of the file: the drill file, which is "" if there is nothing to assert; the database; the
other ones of the backup.
"""


def survey(instance: RestoredInstance, arguments: dict[str, Any], path: Path) -> None:
    """Write the proposal to `path`.

    Args:
        instance: The restored server.
        arguments: Of the drill, by the keys of a drill file.
        path: Gets the keys above, as JSON.
    """
    import psycopg

    connect(instance).close()  # a database that is not there, or is closed, is told as ever
    try:
        with instance.access.ask() as connection:
            found = Survey(connection, given_by(instance)).propose()
            databases = [one.name for one in read_databases(connection) if not one.template]
    except (psycopg.Error, PgRestoreError):
        raise
    except Exception as exc:  # noqa: BLE001 - a catalogue that was altered may give anything
        raise own_fault(exc, "looking for assertions", path.parent / LOGS) from None
    record = instance.record
    label = f"backup {record.backup.label}" if record.backup is not None else "a backup"
    title = (
        f"Proposed by `pgrestore assertions` from {record.drill}, {label}. All of it is true of it."
        " Whether it must be true of each, you decide: correct the numbers, and take out what may"
        " change. Messages show counts and ages, and no row."
    )
    text = found.drill_file(title, arguments) if found.proposals else ""
    others = [name for name in databases if name != instance.access.database]
    content = {TEXT: text, DATABASE: instance.access.database, OTHERS: others}
    path.write_text(json.dumps(content), encoding="utf-8")
