"""Extensions that can only be created where shared_preload_libraries names their library.

It is preloaded while the dump is loaded, and only then: the server that assertions and checks see
is started without it, as every copy is. Only libraries are here that reach no other system with
the settings beside them. Others (pglogical, pg_net, Citus, TimescaleDB) start workers that may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_DATABASE = "{database}"

_HARMLESS = {
    # pg_cron, README and src/pg_cron.c: it can be created in cron.database_name only. No job runs
    # with cron.launch_active_jobs = off (1.6 and later) or cron.max_running_jobs = 0 (before).
    "pg_cron": {
        "cron.database_name": _DATABASE,
        "cron.launch_active_jobs": "off",
        "cron.max_running_jobs": "0",
    },
    # pgaudit, README, "Settings": it writes to the server's log only, and nothing by default.
    "pgaudit": {"pgaudit.log": "none"},
}
"""Extension, which is its library's name too, to the settings that keep it still."""


def known(extensions: Collection[str]) -> list[str]:
    """Return those of a dump's extensions that may be preloaded."""
    return [name for name in _HARMLESS if name in extensions]


def preload_settings(extensions: Collection[str], database: str | None) -> dict[str, str]:
    """Return the settings of the server that a dump with these extensions is loaded into.

    Args:
        extensions: Those of the dump whose files are installed.
        database: The database that the dump is loaded into; None if the dump makes several.
    """
    chosen = {
        name: _HARMLESS[name]
        for name in known(extensions)
        if database is not None or _DATABASE not in _HARMLESS[name].values()
    }
    if not chosen:
        return {}
    found = {"shared_preload_libraries": ",".join(chosen)}
    for settings in chosen.values():
        found |= {
            name: value.replace(_DATABASE, database or "") for name, value in settings.items()
        }
    return found
