"""The quarantine as it is: settings, processes and network interfaces of the running server."""

from __future__ import annotations

from dataclasses import dataclass
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
"""Values of pg_stat_activity.backend_type whose processes read and write the copy only.

Others, e.g. ``walsender``, ``archiver`` or the worker of an extension, may reach other systems. The
``io worker`` is new in 18.
"""

DISABLED = "(disabled)"
"""Value that is shown for archive_command while archive_mode is off (show_archive_command)."""

_SETTINGS = "select name, setting from pg_settings where name = any(%s) order by name"
_EXPECTED = (
    "no archiving, replication, subscription, foreign library, network, or way in but the socket"
)
_PROCESSES = "select distinct backend_type from pg_stat_activity order by 1"


@dataclass(frozen=True, slots=True)
class NetworkState:
    """The network of the server.

    Attributes:
        words: How its way out is cut, for the message.
        cut: Whether it should be cut.
        interfaces: Its interfaces, by the system; None where the system cannot list them.
    """

    words: str
    cut: bool
    interfaces: list[str] | None

    @property
    def problems(self) -> list[str]:
        """Return why the network is not cut although it should be."""
        ways_out = [name for name in self.interfaces or () if name != "lo"]
        return [f"the server has network interface {name}" for name in ways_out] if self.cut else []

    def observed(self) -> str:
        """Return the interfaces as text."""
        if self.interfaces is None:
            return "interfaces not told by the system"
        return f"interfaces: {', '.join(self.interfaces) or 'none'}"


def isolation(
    connection: psycopg.Connection[Any], wanted: Mapping[str, str], network: NetworkState
) -> tuple[Check, dict[str, str]]:
    """Return the check, and the queried settings with the values in force.

    Args:
        connection: To the restored server, as a superuser.
        wanted: Settings that must be in force, with their values; others are not queried.
        network: The network of the server.
    """
    settings = dict(connection.execute(_SETTINGS, [list(wanted)]).fetchall())
    processes = [str(row[0]) for row in connection.execute(_PROCESSES).fetchall()]
    wrong = [
        f"{name} is {value!r}"
        for name, value in settings.items()
        if value not in (wanted[name], DISABLED)
    ]
    wrong += [f"a {process!r} process runs" for process in processes if process not in HARMLESS]
    wrong += network.problems
    if wrong:
        message = f"the copy is not isolated: {'; '.join(wrong)}"
    else:
        message = (
            f"{len(settings)} settings and {len(processes)} kinds of process asked from the server;"
            f" network {network.words} ({network.observed()})"
        )
    check = Check(
        name="quarantine",
        # A broken quarantine is our fault and not the backup's.
        verdict=Verdict.COULD_NOT_VERIFY if wrong else Verdict.PASSED,
        message=message,
        expected=_EXPECTED,
        observed="; ".join([*processes, network.observed()]),
    )
    return check, settings
