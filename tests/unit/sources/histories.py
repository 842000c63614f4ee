"""Backups and histories for tests of the graph."""

from __future__ import annotations

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.wal import Lsn


def a_backup(
    label: str = "a", timeline: int = 1, start: int = 0, stop: int | None = 0x200000
) -> Backup:
    """Return a backup of a timeline."""
    return Backup(
        label=label,
        location=label,
        form="plain",
        kind="full",
        timeline=timeline,
        start_lsn=Lsn(start),
        stop_lsn=None if stop is None else Lsn(stop),
    )


def history(*ancestors: tuple[int, int]) -> str:
    """Return the text of a ``.history`` file."""
    return "".join(f"{parent}\t{Lsn(end)}\tno reason\n" for parent, end in ancestors)
