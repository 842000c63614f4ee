"""Settings of a recovery: one target, an explicit timeline, production's sizes of shared memory.

Source: PostgreSQL docs, "Recovery Target", and "Hot Standby", section "Administrator's Overview".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid, Immediate

if TYPE_CHECKING:
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.restore.server.control_data import ControlData

NO_MORE_WAL = "exit 1"
"""restore_command when all WAL is staged: the file is not there, which is true here.

PostgreSQL takes a status of 1 to 125 for the end of the archive (docs, "Continuous Archiving").
"""

PREPARED_FLOOR = 64
"""Least max_prepared_transactions.

Where production raised it later in the WAL, recovery ends with "maximum number of prepared
transactions reached", even without hot standby (src/backend/access/transam/twophase.c).
"""

WAL_SENDERS_FLOOR = 4
"""Enough for pg_basebackup over the private socket, which makes the private copies of tests."""

_OWN_ORIGINS_SINCE = 18
"""First major in which max_replication_slots no longer sizes replication origins as well."""

_MIB = 1024 * 1024


def recovery_settings(
    target: RecoveryTarget, timeline: int | None, control: ControlData, major: int
) -> dict[str, str]:
    """Return the settings of a recovery: setting name to value.

    Args:
        target: Where to stop.
        timeline: Which timeline to follow; None is the latest.
        control: Of the copy.
        major: Of the server.
    """
    settings = {
        "restore_command": NO_MORE_WAL,
        # No SQL can run before promotion. With hot standby, recovery would pause without an end
        # where production raised a setting (docs, "Hot Standby", "Administrator's Overview").
        "hot_standby": "off",
        "recovery_min_apply_delay": "0",
        "recovery_target_timeline": str(timeline if timeline is not None else "latest"),
        "wal_level": "replica",
        "max_replication_slots": "256",
        **floors(control),
        **target_settings(target),
    }
    if major >= _OWN_ORIGINS_SINCE:
        settings["max_active_replication_origins"] = "256"
    return settings


def floors(control: ControlData) -> dict[str, str]:
    """Return production's sizes of shared memory, which recovery needs, and room for its WAL.

    min_wal_size must be at least twice the segment size (src/backend/access/transam/xlog.c).
    """
    had = control.floors
    return {
        "max_connections": str(had["max_connections"]),
        "max_worker_processes": str(had["max_worker_processes"]),
        "max_wal_senders": str(max(had["max_wal_senders"], WAL_SENDERS_FLOOR)),
        "max_prepared_transactions": str(max(had["max_prepared_xacts"], PREPARED_FLOOR)),
        "max_locks_per_transaction": str(had["max_locks_per_xact"]),
        "min_wal_size": f"{max(80, 2 * control.segment_bytes // _MIB)}MB",
        "max_wal_size": f"{max(1024, 4 * control.segment_bytes // _MIB)}MB",
    }


def target_settings(target: RecoveryTarget) -> dict[str, str]:
    """Return the settings that express `target`; empty for latest, which is the server's default.

    At most one recovery_target* is set: two are FATAL ("multiple recovery targets specified").
    The default action would pause at the target and wait.

    Source: PostgreSQL docs, "Recovery Target", settings recovery_target*.
    """
    match target:
        case Immediate():
            chosen = {"recovery_target": "immediate"}
        case AtTime(when, inclusive):
            chosen = {
                "recovery_target_time": when.isoformat(sep=" "),
                "recovery_target_inclusive": _on(inclusive),
            }
        case AtLsn(lsn, inclusive):
            chosen = {"recovery_target_lsn": str(lsn), "recovery_target_inclusive": _on(inclusive)}
        case AtXid(xid, inclusive):
            chosen = {"recovery_target_xid": str(xid), "recovery_target_inclusive": _on(inclusive)}
        case AtName(name):
            chosen = {"recovery_target_name": name}
        case _:
            return {}
    return {**chosen, "recovery_target_action": "promote"}


def _on(flag: bool) -> str:
    return "on" if flag else "off"
