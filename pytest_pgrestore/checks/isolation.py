"""The quarantine, asked from the running server and the system: settings, processes, network interfaces."""

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
"""Backend types that read and write the copy only. Anything else may talk to somebody."""

DISABLED = "(disabled)"
"""What the server shows for archive_command while archive_mode is off."""

_SETTINGS = "select name, setting from pg_settings where name = any(%s) order by name"
_PROCESSES = "select distinct backend_type from pg_stat_activity order by 1"


@dataclass(frozen=True, slots=True)
class NetworkState:
    """What the server could reach.

    Attributes:
        words: How egress is cut, for the message.
        cut: Whether it is meant to be.
        interfaces: What the system says the server has; None where it does not tell.
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
        """Return the interfaces, in words."""
        if self.interfaces is None:
            return "interfaces not told by the system"
        return f"interfaces: {', '.join(self.interfaces) or 'none'}"


def isolation(
    connection: psycopg.Connection[Any], wanted: Mapping[str, str], network: NetworkState
) -> tuple[Check, dict[str, str]]:
    """Return the check, and every setting asked with the value in force.

    Args:
        connection: To the restored server, as a superuser.
        wanted: Settings that must be in force; others are not compared.
        network: What the server could reach.
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
    return (
        Check(
            name="quarantine",
            # A broken quarantine says nothing about the backup, and everything about us.
            verdict=Verdict.COULD_NOT_VERIFY if wrong else Verdict.PASSED,
            message="the copy is not isolated: " + "; ".join(wrong)
            if wrong
            else f"{len(settings)} settings and {len(processes)} kinds of process asked from the server;"
            f" network {network.words} ({network.observed()})",
            expected="no archiving, replication, subscription, foreign library, network, or way in but the socket",
            observed="; ".join([*processes, network.observed()]),
        ),
        settings,
    )
