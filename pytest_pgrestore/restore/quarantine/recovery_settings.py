"""Settings of a recovery: one target, an explicit timeline, and production's sizes of shared memory.

Source: PostgreSQL docs, "Recovery Target"; "Hot Standby", administrator's overview.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid, Immediate

if TYPE_CHECKING:
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.restore.server.control_data import ControlData

NO_MORE_WAL = "exit 1"
"""restore_command when all WAL is staged: 1 means "not there", and here that is the truth."""

PREPARED_FLOOR = 64
"""Prepared transactions to make room for: a value raised later in the WAL is FATAL even without hot standby."""

WAL_SENDERS_FLOOR = 4
"""Enough for pg_basebackup over the private socket, which makes the private copies of tests."""


def recovery_settings(
    target: RecoveryTarget, timeline: int | None, control: ControlData, major: int
) -> dict[str, str]:
    """Return the settings of a recovery: exactly one target, explicit timeline, production's floors."""
    settings = {
        "restore_command": NO_MORE_WAL,
        # No SQL can run before promotion, and no silent pause on a parameter that production raised.
        "hot_standby": "off",
        "recovery_min_apply_delay": "0",
        "recovery_target_timeline": str(timeline if timeline is not None else "latest"),
        "wal_level": "replica",
        "max_replication_slots": "256",
        **floors(control),
        **target_settings(target),
    }
    if major >= 18:  # noqa: PLR2004 - the major that split the setting
        settings["max_active_replication_origins"] = "256"
    return settings


def floors(control: ControlData) -> dict[str, str]:
    """Return production's sizes of shared memory, which recovery needs, and room for its WAL segments."""
    had = control.floors
    return {
        "max_connections": str(had["max_connections"]),
        "max_worker_processes": str(had["max_worker_processes"]),
        "max_wal_senders": str(max(had["max_wal_senders"], WAL_SENDERS_FLOOR)),
        "max_prepared_transactions": str(max(had["max_prepared_xacts"], PREPARED_FLOOR)),
        "max_locks_per_transaction": str(had["max_locks_per_xact"]),
        "min_wal_size": f"{max(80, 2 * control.segment_bytes >> 20)}MB",
        "max_wal_size": f"{max(1024, 4 * control.segment_bytes >> 20)}MB",
    }


def target_settings(target: RecoveryTarget) -> dict[str, str]:
    """Return the settings that express `target`; empty for latest, which is the server's default.

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
