"""Choosing the backup for a target. Pure: a catalogue in, a choice or a reason out."""

from __future__ import annotations

from dataclasses import dataclass
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
"""Catalogues cut times to whole seconds, so a backup may have ended up to a second later."""


@dataclass(frozen=True, slots=True)
class Picked:
    """The backup for a target.

    Attributes:
        backup: The chosen entry of the catalogue.
        selection: Why this one, in words.
        other_candidates: Labels as of `other_candidates`.
    """

    backup: Backup
    selection: str
    other_candidates: tuple[str, ...] = ()


def choose(
    backups: Sequence[Backup], target: RecoveryTarget, position: Lsn | None = None
) -> tuple[Backup, str]:
    """Return the newest backup that ends before the target, and why it was chosen.

    Args:
        backups: The catalogue, oldest first, not empty.
        target: Where recovery is to stop.
        position: LSN at which the target was found in WAL, for targets that are no LSN or time.

    Raises:
        TargetUnreachable: Every backup ends after the target. Recovery cannot stop before the end
            of its backup.
    """
    limit = target.lsn if isinstance(target, AtLsn) else position
    if isinstance(target, AtTime):
        fitting = _ended_by(backups, target.when)
    elif limit is not None:
        fitting = _ended_at(backups, limit)
    else:
        return backups[-1], f"the newest of {len(backups)}" if len(backups) > 1 else "the only one"
    if not fitting:
        raise _too_early(backups, target)
    return fitting[-1], _reason(len(fitting), len(backups))


def _reason(fitting: int, every: int) -> str:
    """Return why the newest backup was chosen: `fitting` of `every` backups end early enough."""
    if every == 1:
        return "the only one"
    total = f", {every} in all" if every > fitting else ""
    return f"the newest of {fitting} that end before the target{total}"


def pick(
    backups: Sequence[Backup],
    target: RecoveryTarget,
    wanted: str | None,
    position: Lsn | None = None,
) -> tuple[Backup, str]:
    """Return the backup that the user names, or the one of `choose`, and why.

    Args:
        backups: As of `choose`.
        target: As of `choose`.
        wanted: Label of the backup that the user names; None names none.
        position: As of `choose`.

    Raises:
        HarnessError: There is no backup of that name.
        TargetUnreachable: As of `choose`; or the target lies before the end of the named backup.
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


def pick_for(backups: Sequence[Backup], target: RecoveryTarget, wanted: str | None) -> Picked:
    """Return the result of `pick` together with that of `other_candidates`."""
    backup, selection = pick(backups, target, wanted)
    return Picked(backup, selection, other_candidates(backups, backup, target, wanted))


def other_candidates(
    backups: Sequence[Backup], chosen: Backup, target: RecoveryTarget, wanted: str | None
) -> tuple[str, ...]:
    """Return the labels of older backups that might reach a target which `chosen` does not.

    Only WAL shows where a name or a transaction lies, so a catalogue cannot exclude these backups.
    """
    if wanted is not None or not isinstance(target, AtName | AtXid):
        return ()
    end = chosen.stop_lsn or 0
    return tuple(
        other.label
        for other in backups
        if other.label != chosen.label and (other.stop_lsn or 0) <= end
    )


def no_backup(where: object, left_out: Sequence[str] = ()) -> BackupNotRestorable:
    """Return the error for a readable place that holds no backup: that is a finding."""
    return BackupNotRestorable(
        f"there is no backup in {where}" + (f" ({'; '.join(left_out)})" if left_out else ""),
        hint="find out why the backup job writes none, or correct `path` in the source.",
    )


def _ended_by(backups: Sequence[Backup], when: datetime) -> list[Backup]:
    """Return the backups that ended by `when`; those of the same second only if there is no other.

    A wrong choice here cannot pass: the end of recovery is compared with the target later.
    """
    surely = [
        backup
        for backup in backups
        if backup.stopped_at is not None and backup.stopped_at + _SECOND <= when
    ]
    if surely:
        return surely
    return [
        backup for backup in backups if backup.stopped_at is not None and backup.stopped_at <= when
    ]


def _ended_at(backups: Sequence[Backup], limit: Lsn) -> list[Backup]:
    """Return the backups that ended by `limit`; those of unknown end only if there is no other.

    A wrong choice here cannot pass: PostgreSQL refuses a target before its consistent point.
    """
    surely = [entry for entry in backups if entry.stop_lsn is not None and entry.stop_lsn <= limit]
    if surely:
        return surely
    return [
        entry
        for entry in backups
        if entry.stop_lsn is None and entry.start_lsn is not None and entry.start_lsn <= limit
    ]


def _too_early(backups: Sequence[Backup], target: RecoveryTarget) -> TargetUnreachable:
    first = backups[0]
    place = f" (LSN {first.stop_lsn})" if first.stop_lsn is not None else ""
    when = first.stopped_at.isoformat() if first.stopped_at is not None else "an unknown time"
    return TargetUnreachable(
        f"{target} lies before the end of every backup;"
        f" the earliest reachable point is {when}{place}, the end of backup {first.label}",
        hint="choose a later target, or keep backups longer.",
    )
