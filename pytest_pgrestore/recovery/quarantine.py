"""Keeping a restored copy away from the world: files made harmless, settings that beat whatever it carries.

The copy of a production cluster knows production's archive, its publishers, its cron jobs and its paths. What it
carries is moved away before a server reads it; what counts is then set on the command line; what ALTER ROLE and
ALTER DATABASE could still change is set again with every connection.

Source: PostgreSQL docs, "Server Configuration" and "Recovery Target"; precedence as measured in this project's tests.
"""

from __future__ import annotations

import os
import shutil
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid, Immediate

if TYPE_CHECKING:
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.recovery.controldata import ControlData
    from pytest_pgrestore.sandboxes.protocol import Sandbox

CARRIED_FILES = (
    "standby.signal",
    "recovery.signal",
    "recovery.conf",
    "postmaster.pid",
    "postmaster.opts",
    "postgresql.auto.conf",
    "postgresql.conf",
    "pg_hba.conf",
    "pg_ident.conf",
)
"""Files of the copy that would steer the server; none of them is wanted, and a bad one is FATAL."""

ATTIC = "carried"
"""Directory of the sandbox they are moved to."""

NO_MORE_WAL = "exit 1"
"""restore_command when all WAL is staged: 1 means "not there", and here that is the truth."""

PREPARED_FLOOR = 64
"""Prepared transactions to make room for: a value raised later in the WAL is FATAL even without hot standby."""

WAL_SENDERS_FLOOR = 4
"""Enough for pg_basebackup over the private socket, which makes the private copies of tests."""

_ALWAYS = {
    # nothing leaves
    "archive_mode": "off",
    "archive_command": "",
    "archive_cleanup_command": "",
    "recovery_end_command": "",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "max_logical_replication_workers": "0",
    "synchronous_standby_names": "",
    # no foreign code
    "cron.launch_active_jobs": "off",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "jit": "off",
    "autovacuum": "off",
    # nothing hidden
    "zero_damaged_pages": "off",
    "ignore_checksum_failure": "off",
    "ignore_system_indexes": "off",
    "restart_after_crash": "off",
    "data_sync_retry": "off",
    # reach
    "ssl": "off",
    "ssl_passphrase_command": "",
    "krb_server_keyfile": "",
    "bonjour": "off",
    # log
    "logging_collector": "off",
    "log_destination": "stderr",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %e ",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_statement": "none",
    "log_min_messages": "warning",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    # no cut-off
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # fits
    "huge_pages": "off",
    "default_tablespace": "",
    "temp_tablespaces": "",
}

_SINCE = {
    "wal_recycle": (12, "off"),
    "ignore_invalid_pages": (13, "off"),
    "wal_keep_size": (13, "0"),
    "log_parameter_max_length_on_error": (13, "0"),
    "idle_session_timeout": (14, "0"),
    "archive_library": (15, ""),
    # Tablespaces made after the backup are kept inside the data directory: see sources/wal/tablespaces.py.
    "allow_in_place_tablespaces": (15, "on"),
    "log_startup_progress_interval": (15, "1s"),
    "event_triggers": (17, "off"),
    "allow_alter_system": (17, "off"),
    "sync_replication_slots": (17, "off"),
    "synchronized_standby_slots": (17, ""),
    "summarize_wal": (17, "off"),
    "transaction_timeout": (17, "0"),
}

_UNTIL = {"promote_trigger_file": (15, "")}
"""Settings that came to an end: the last major that knows them, and the value."""

_PER_CONNECTION = (
    "event_triggers",
    "ignore_checksum_failure",
    "ignore_system_indexes",
    "zero_damaged_pages",
    "log_statement",
    "log_min_error_statement",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)
_EMPTY_PER_CONNECTION = ("session_preload_libraries", "local_preload_libraries", "default_tablespace")

ASKED = (
    "archive_mode",
    "archive_command",
    "archive_library",
    "archive_cleanup_command",
    "recovery_end_command",
    "primary_conninfo",
    "primary_slot_name",
    "max_logical_replication_workers",
    "synchronous_standby_names",
    "shared_preload_libraries",
    "session_preload_libraries",
    "event_triggers",
    "listen_addresses",
    "unix_socket_permissions",
    "restart_after_crash",
    "zero_damaged_pages",
    "ignore_checksum_failure",
    "ignore_invalid_pages",
    "sync_replication_slots",
    "autovacuum",
)
"""Settings whose running values are asked from the server and kept as evidence."""


def server_settings(major: int, cluster_name: str) -> dict[str, str]:
    """Return the settings every server of ours gets, gated by major: an unknown one is FATAL."""
    gated = {name: value for name, (since, value) in _SINCE.items() if major >= since}
    gated |= {name: value for name, (until, value) in _UNTIL.items() if major <= until}
    return {**_ALWAYS, **gated, "cluster_name": cluster_name}


def recovery_settings(target: RecoveryTarget, timeline: int | None, control: ControlData, major: int) -> dict[str, str]:
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
            chosen = {"recovery_target_time": when.isoformat(sep=" "), "recovery_target_inclusive": _on(inclusive)}
        case AtLsn(lsn, inclusive):
            chosen = {"recovery_target_lsn": str(lsn), "recovery_target_inclusive": _on(inclusive)}
        case AtXid(xid, inclusive):
            chosen = {"recovery_target_xid": str(xid), "recovery_target_inclusive": _on(inclusive)}
        case AtName(name):
            chosen = {"recovery_target_name": name}
        case _:
            return {}
    return {**chosen, "recovery_target_action": "promote"}


def connection_options(major: int, *, read_only: bool) -> str:
    """Return startup options that repeat the quarantine where ALTER ROLE or DATABASE ... SET would beat it."""
    settings = server_settings(major, "")
    words = [f"-c {name}={settings[name]}" for name in _PER_CONNECTION if name in settings]
    words += [f"-c {name}=" for name in _EMPTY_PER_CONNECTION]
    # Whoever logs in acts as himself, and a cluster that production made read-only can be loaded and repaired.
    words += ["-c role=none", f"-c default_transaction_read_only={_on(read_only)}"]
    return " ".join(words)


def sanitise(sandbox: Sandbox) -> list[str]:
    """Make the copied files harmless, in place; return what was moved away.

    Keeps ``backup_label``: without it a server opens the copy as if it had crashed, with wrong rows and no complaint.

    Raises:
        BackupNotRestorable: A link in the data directory leaves the sandbox.
    """
    attic = sandbox.root / ATTIC
    attic.mkdir(mode=0o700)
    moved = []
    for name in CARRIED_FILES:
        path = sandbox.data / name
        if path.exists() or path.is_symlink():
            path.rename(attic / name)
            moved.append(name)
    # It is read even when config_file points elsewhere, so it must be there and be empty.
    (sandbox.data / "postgresql.auto.conf").write_text("")
    _empty(sandbox.data / "pg_replslot")
    (sandbox.data / "recovery.signal").write_text("")
    for name in ("postgresql.auto.conf", "recovery.signal", "pg_replslot"):
        sandbox.adopt(sandbox.data / name)
    sandbox.data.chmod(0o700)
    _refuse_links_that_leave(sandbox)
    return moved


def _empty(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _refuse_links_that_leave(sandbox: Sandbox) -> None:
    # By the words of each link and not by where it leads from here: the sandbox may be another file system's view.
    for folder, folders, files in chain(os.walk(sandbox.data), os.walk(sandbox.tablespaces)):
        for name in (*folders, *files):
            path = Path(folder) / name
            if path.is_symlink() and sandbox.root not in Path(os.path.normpath(path.parent / path.readlink())).parents:
                raise BackupNotRestorable(
                    f"the copy's {path.relative_to(sandbox.root)} is a link to {path.readlink()}, outside the sandbox",
                    hint="a server started on it would write there: back the linked directory up as a tablespace.",
                )


def _on(flag: bool) -> str:
    return "on" if flag else "off"
