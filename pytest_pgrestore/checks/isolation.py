"""The quarantine as it is: settings, processes and network interfaces of the running server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

# The functions below the views of the same kind: a superuser of production may have changed those.
_SETTINGS = (
    "select name, setting from pg_catalog.pg_show_all_settings() where name = any(%s) order by name"
)
_EXPECTED = (
    "no archiving, replication, subscription, foreign library, network, or way in but the socket"
)
_PROCESSES = (
    "select distinct backend_type from pg_catalog.pg_stat_get_activity(null)"
    " where backend_type is not null order by 1"
)

_HARMLESS_TITLE = re.compile(
    r"(checkpointer|background writer|walwriter|logger|stats collector|startup|io worker"
    r"|autovacuum (launcher|worker)|parallel worker for PID|dead-end client backend)\b.*"
    # A session: role, database, and from where.
    r"|(?!walsender\b).* (\[local\]|\S+\(\d+\))( .*)?",
    re.DOTALL,
)
"""What children of the postmaster show that read and write the copy only.

Source: PostgreSQL, src/backend/utils/init/miscinit.c (GetBackendTypeDesc), and the calls of
init_ps_display.
"""


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


@dataclass(frozen=True, slots=True)
class OutsideView:
    """The server as the system shows it: nothing that a superuser of the copy can change by SQL.

    Attributes:
        process: Its process id; None where the system does not show the process.
        settings: The settings it was started with; None where they are hidden.
        titles: What its child processes show as their work; None where they are hidden.
    """

    process: int | None
    settings: Mapping[str, str] | None
    titles: Sequence[str] | None

    def problems(self, wanted: Mapping[str, str]) -> list[str]:
        """Return what is not as it must be.

        Args:
            wanted: Settings that it must have been started with.
        """
        found = []
        if self.settings is not None:
            found += [
                f"{name} is {given!r} in the server's arguments"
                for name, value in wanted.items()
                if (given := self.settings.get(name)) != value
            ]
        return found + [
            f"a process that shows {title!r} runs"
            for title in self.titles or ()
            if not _HARMLESS_TITLE.fullmatch(title)
        ]

    def observed(self) -> str:
        """Return which source spoke, and about what."""
        if self.settings is None or self.titles is None:
            return "not read from outside: the system does not show the server's process"
        return (
            f"read from outside too, in /proc: the arguments of process {self.process} and"
            f" {len(self.titles)} processes of it"
        )


def isolation(
    connection: psycopg.Connection[Any],
    wanted: Mapping[str, str],
    network: NetworkState,
    outside: OutsideView,
) -> tuple[Check, dict[str, str]]:
    """Return the check, and the queried settings with the values in force.

    Args:
        connection: To the restored server, as a superuser.
        wanted: Settings that must be in force, with their values; others are not queried.
        network: The network of the server.
        outside: The server as the system shows it. Both must be as wanted: where they differ, one
            of them is not.
    """
    settings = dict(connection.execute(_SETTINGS, [list(wanted)]).fetchall())
    processes = [str(row[0]) for row in connection.execute(_PROCESSES).fetchall()]
    wrong = [
        f"{name} is {value!r}"
        for name, value in settings.items()
        if value not in (wanted[name], DISABLED)
    ]
    wrong += [f"a {process!r} process runs" for process in processes if process not in HARMLESS]
    wrong += [
        f"the server does not tell {name}" for name in sorted(wanted.keys() - settings.keys())
    ]
    wrong += outside.problems(wanted)
    wrong += network.problems
    if wrong:
        message = f"the copy is not isolated: {'; '.join(wrong)}"
    else:
        message = (
            f"{len(settings)} settings and {len(processes)} kinds of process asked from the server,"
            f" {outside.observed()}; network {network.words} ({network.observed()})"
        )
    check = Check(
        name="quarantine",
        # A broken quarantine is our fault and not the backup's.
        verdict=Verdict.COULD_NOT_VERIFY if wrong else Verdict.PASSED,
        message=message,
        expected=_EXPECTED,
        observed="; ".join([*processes, outside.observed(), network.observed()]),
    )
    return check, settings
