"""Settings that keep a restored copy away from the world, whatever it carries.

The copy of a production cluster knows production's archive, its publishers, its cron jobs and its paths. What it
carries is moved away before a server reads it; what counts is then set on the command line; what ALTER ROLE and
ALTER DATABASE could still change is set again with every connection.

Source: PostgreSQL docs, "Server Configuration" and "Recovery Target"; precedence as measured in this project's tests.
"""

from __future__ import annotations

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
_EMPTY_PER_CONNECTION = (
    "session_preload_libraries",
    "local_preload_libraries",
    "default_tablespace",
)

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


def connection_options(major: int, *, read_only: bool) -> str:
    """Return startup options that repeat the quarantine where ALTER ROLE or DATABASE ... SET would beat it."""
    settings = server_settings(major, "")
    words = [f"-c {name}={settings[name]}" for name in _PER_CONNECTION if name in settings]
    words += [f"-c {name}=" for name in _EMPTY_PER_CONNECTION]
    # Whoever logs in acts as himself, and a cluster that production made read-only can be loaded and repaired.
    words += ["-c role=none", f"-c default_transaction_read_only={'on' if read_only else 'off'}"]
    return " ".join(words)
