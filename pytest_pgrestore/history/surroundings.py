"""What a later drill must share with this one to be compared with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.past import ArchiverFigures
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible_value import VisibleValue
from pytest_pgrestore.model.wal import Lsn

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import DrillRecord

RAN = frozenset({Verdict.PASSED, Verdict.FAILED, Verdict.WARNING})
"""Verdicts of assertions that ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings(VisibleValue):
    """Where a drill ran, how much it restored and replayed, and what was asked there."""

    machine: str = ""
    confinement: str = ""
    definition: str = ""
    """What the restore time means: onto a kept directory it is another one."""
    wal_bytes: int | None = None
    restored_bytes: int | None = None
    databases: dict[str, int] = field(default_factory=dict)
    """Numbers of assertions that ran, by database of the copy."""
    archiver: ArchiverFigures | None = None


def surroundings_of(record: DrillRecord) -> Surroundings:
    """Return those of a drill."""
    server = record.server
    return Surroundings(
        machine="" if server is None else server.machine,
        confinement="" if server is None else server.confinement,
        definition=record.rto.definition,
        wal_bytes=_wal_bytes(record),
        restored_bytes=record.restored_bytes,
        databases=asserted(record),
        archiver=record.archiver,
    )


def asserted(record: DrillRecord) -> dict[str, int]:
    """Return how many assertions of a drill ran in each of its databases."""
    return {
        name: sum(name in one.databases and one.verdict in RAN for one in record.assertions)
        for name in record.databases
    }


def _wal_bytes(record: DrillRecord) -> int | None:
    """Return the bytes of WAL from the start of the backup to the end of recovery."""
    backup, reached = record.backup, record.recovered_to
    if backup is None or reached is None or backup.start_lsn is None or reached.lsn is None:
        return None
    try:
        return max(0, Lsn.parse(reached.lsn) - Lsn.parse(backup.start_lsn))
    except ConfigError:
        return None
