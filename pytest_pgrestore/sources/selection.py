"""Choosing the backup for a target. Pure: a catalogue in, a choice or a reason out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtTime

if TYPE_CHECKING:
    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.model.wal import Lsn


def choose(backups: list[Backup], target: RecoveryTarget, position: Lsn | None = None) -> tuple[Backup, str]:
    """Return the newest backup that ends before the target, and why it was chosen.

    Args:
        backups: The catalogue, oldest first, not empty.
        target: Where recovery is to stop.
        position: Where the target was found in WAL, for targets that do not tell it themselves.

    Raises:
        TargetUnreachable: Every backup ends after the target: recovery cannot stop inside a backup.
    """
    if isinstance(target, AtTime):
        fitting = [backup for backup in backups if backup.stopped_at is not None and backup.stopped_at <= target.when]
    elif isinstance(target, AtLsn) or position is not None:
        limit = target.lsn if isinstance(target, AtLsn) else position
        fitting = [b for b in backups if b.stop_lsn is not None and limit is not None and b.stop_lsn <= limit]
    else:
        return backups[-1], f"the newest of {len(backups)}" if len(backups) > 1 else "the only one"
    if not fitting:
        raise TargetUnreachable(
            f"{target} lies before the end of every backup; the earliest reachable point is {_earliest(backups)}",
            hint="choose a later target, or keep backups longer.",
        )
    return fitting[-1], f"the newest of {len(fitting)} that end before the target, {len(backups)} in all"


def no_backup(where: object) -> BackupNotRestorable:
    """Return the error for a place that can be read and holds no backup: a finding, not an accident."""
    return BackupNotRestorable(
        f"no backup in {where}", hint="find out why the backup job writes none, or correct `path` in the source."
    )


def _earliest(backups: list[Backup]) -> str:
    first = backups[0]
    moment = f"{first.stopped_at.isoformat()} " if first.stopped_at else ""
    place = f"at {first.stop_lsn} " if first.stop_lsn else ""
    return f"{moment}{place}(end of backup {first.label})"
