"""Choosing the backup for a target. Pure: a catalogue in, a choice or a reason out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.model.wal import Lsn

_SECOND = timedelta(seconds=1)
"""Catalogues tell times in whole seconds, so a backup may have ended that much later than they say."""


def choose(
    backups: Sequence[Backup], target: RecoveryTarget, position: Lsn | None = None
) -> tuple[Backup, str]:
    """Return the newest backup that ends before the target, and why it was chosen.

    Args:
        backups: The catalogue, oldest first, not empty.
        target: Where recovery is to stop.
        position: Where the target was found in WAL, for targets that do not tell it themselves.

    Raises:
        TargetUnreachable: Every backup ends after the target: recovery cannot stop inside a backup.
    """
    limit = target.lsn if isinstance(target, AtLsn) else position
    if isinstance(target, AtTime):
        fitting = _ended_by(backups, target.when)
    elif limit is not None:
        fitting = [
            backup for backup in backups if backup.stop_lsn is not None and backup.stop_lsn <= limit
        ]
    else:
        return backups[-1], f"the newest of {len(backups)}" if len(backups) > 1 else "the only one"
    if not fitting:
        raise _too_early(backups, target)
    of = (
        "the only one"
        if len(backups) == 1
        else f"the newest of {len(fitting)} that end before the target"
    )
    return fitting[-1], of + (f", {len(backups)} in all" if len(backups) > len(fitting) else "")


def pick(
    backups: Sequence[Backup],
    target: RecoveryTarget,
    wanted: str | None,
    position: Lsn | None = None,
) -> tuple[Backup, str]:
    """Return the backup the user names, or the one `choose` does, and why.

    Raises:
        HarnessError: There is none of that name.
        TargetUnreachable: As by `choose`; a target before the end of the named one, too.
    """
    if wanted is None:
        return choose(backups, target, position)
    for backup in backups:
        if backup.label == wanted:
            choose([backup], target, position)
            return backup, "named in the settings"
    raise HarnessError(
        f"backup {wanted} is not in the catalogue",
        hint=f"there are: {', '.join(backup.label for backup in backups)}.",
    )


def other_candidates(
    backups: Sequence[Backup], chosen: Backup, target: RecoveryTarget, wanted: str | None
) -> tuple[str, ...]:
    """Return the older backups that may reach a target which `chosen` does not, where no catalogue can place it."""
    if wanted is not None or not isinstance(target, AtName | AtXid):
        return ()
    end = chosen.stop_lsn or 0
    return tuple(
        other.label
        for other in backups
        if other.label != chosen.label and (other.stop_lsn or 0) <= end
    )


def no_backup(where: object, left_out: Sequence[str] = ()) -> BackupNotRestorable:
    """Return the error for a place that can be read and holds no backup: a finding, not an accident."""
    return BackupNotRestorable(
        f"there is no backup in {where}" + (f" ({'; '.join(left_out)})" if left_out else ""),
        hint="find out why the backup job writes none, or correct `path` in the source.",
    )


def _ended_by(backups: Sequence[Backup], when: datetime) -> list[Backup]:
    surely = [
        backup
        for backup in backups
        if backup.stopped_at is not None and backup.stopped_at + _SECOND <= when
    ]
    if surely:
        return surely
    # What was recovered is compared with the target in the end, so a wrong guess cannot pass.
    return [
        backup for backup in backups if backup.stopped_at is not None and backup.stopped_at <= when
    ]


def _too_early(backups: Sequence[Backup], target: RecoveryTarget) -> TargetUnreachable:
    first = backups[0]
    place = f" (LSN {first.stop_lsn})" if first.stop_lsn is not None else ""
    when = first.stopped_at.isoformat() if first.stopped_at is not None else "an unknown time"
    return TargetUnreachable(
        f"{target} lies before the end of every backup; the earliest reachable point is {when}{place},"
        f" the end of backup {first.label}",
        hint="choose a later target, or keep backups longer.",
    )
