"""The output of pg_controldata for a data directory, before any server reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import Sandbox

FLOORS = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_xacts",
    "max_locks_per_xact",
)
"""Settings of production that recovery must not go below.

Source: PostgreSQL docs, "Hot Standby", "Administrator's Overview". pg_controldata prints each as
``<name> setting``.
"""


STOPPED = ("shut down", "shut down in recovery")
"""States of a copy of a stopped server (DBState in src/include/catalog/pg_control.h)."""


@dataclass(frozen=True, slots=True)
class ControlData:
    """The facts of ``global/pg_control`` that a restore needs.

    Attributes:
        system_identifier: Of the cluster the backup was taken from.
        state: ``in production``, ``shut down`` ...
        timeline: Of the last checkpoint.
        segment_bytes: Size of a WAL segment.
        floors: Production's values of `FLOORS`.
        checkpoint: Where the last checkpoint's record begins.
    """

    system_identifier: str
    state: str
    timeline: int
    segment_bytes: int
    floors: dict[str, int]
    checkpoint: Lsn

    @property
    def stopped(self) -> bool:
        """Whether the server was stopped in order, as a primary or a standby."""
        return self.state in STOPPED


def read(sandbox: Sandbox) -> ControlData:
    """Read ``global/pg_control`` with the sandbox's own pg_controldata.

    Raises:
        BackupNotRestorable: The file is missing or damaged.
    """
    done = sandbox.programs.run("pg_controldata", "-D", str(sandbox.data), check=False)
    facts = parse(done.stdout)
    if done.status != 0 or "Database system identifier" not in facts:
        raise BackupNotRestorable(
            f"the backup's pg_control cannot be read: {done.tail()}",
            hint="the base backup is incomplete or damaged: take a new one and find out where this"
            " one was cut.",
        )
    # pg_controldata warns of a wrong checksum and ends with status 0. It warns on stdout in 15, and
    # on stderr in 17 and 18.
    printed = (done.stdout + done.stderr).upper()
    if "WARNING" in printed and "CRC" in printed:
        raise BackupNotRestorable(
            "the backup's pg_control fails its own checksum",
            hint="the base backup is damaged: take a new one.",
        )
    return ControlData(
        system_identifier=facts["Database system identifier"],
        state=facts["Database cluster state"],
        timeline=int(facts["Latest checkpoint's TimeLineID"]),
        segment_bytes=int(facts["Bytes per WAL segment"]),
        floors={name: int(facts[f"{name} setting"]) for name in FLOORS},
        checkpoint=Lsn.parse(facts["Latest checkpoint location"]),
    )


def parse(text: str) -> dict[str, str]:
    """Return the lines of pg_controldata's output as a mapping."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}
