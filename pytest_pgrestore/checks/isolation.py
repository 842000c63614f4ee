"""The quarantine, asked from the running server: what it is set to, and which processes it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

HARMLESS = frozenset(
    {
        "client backend",
        "checkpointer",
        "background writer",
        "walwriter",
        "io worker",
        "autovacuum launcher",
        "autovacuum worker",
        "parallel worker",
    }
)
"""Backend types that read and write the copy only. Anything else may talk to somebody."""

DISABLED = "(disabled)"
"""What the server shows for archive_command while archive_mode is off."""

_SETTINGS = "select name, setting from pg_settings where name = any(%s) order by name"
_PROCESSES = "select distinct backend_type from pg_stat_activity order by 1"


def isolation(
    connection: psycopg.Connection[Any], wanted: Mapping[str, str], network: str
) -> tuple[Check, dict[str, str]]:
    """Return the check, and every setting asked with the value in force.

    Args:
        connection: To the restored server, as a superuser.
        wanted: Settings that must be in force; others are not compared.
        network: How egress is cut, for the message.
    """
    settings = dict(connection.execute(_SETTINGS, [list(wanted)]).fetchall())
    processes = [str(row[0]) for row in connection.execute(_PROCESSES).fetchall()]
    wrong = [f"{name} is {value!r}" for name, value in settings.items() if value not in (wanted[name], DISABLED)]
    wrong += [f"a {process!r} process runs" for process in processes if process not in HARMLESS]
    return (
        Check(
            name="quarantine",
            # A broken quarantine says nothing about the backup, and everything about us.
            verdict=Verdict.COULD_NOT_VERIFY if wrong else Verdict.PASSED,
            message="the copy is not isolated: " + "; ".join(wrong)
            if wrong
            else f"{len(settings)} settings and {len(processes)} kinds of process asked from the server;"
            f" network {network}",
            expected="no archiving, replication, subscription, foreign library or way in but the socket",
            observed="; ".join(processes),
        ),
        settings,
    )
