"""Settings that keep a restored copy away from the world, whatever it carries.

The copy of a production cluster knows production's archive, publishers, cron jobs and paths.
The files it carries are moved away before a server reads them (see `files.py`). Then:

- `server_settings` go on the command line, which beats every configuration file.
- `connection_options` go with every connection. They beat ALTER ROLE and ALTER DATABASE ... SET,
  which beat the command line.

Source of this order: PostgreSQL, ``GucSource`` in src/include/utils/guc.h (ARGV < DATABASE < USER
< DATABASE_USER < CLIENT). The section beside each group is a chapter of "Server Configuration" in
the PostgreSQL docs; settings without a version are in 15 to 18.
"""

from __future__ import annotations

_ALWAYS = {
    # Nothing leaves. "Write-Ahead Log / Archiving" and "/ Archive Recovery": a copy that archives
    # after its promotion, or runs production's cleanup command, changes production's archive.
    "archive_mode": "off",
    "archive_command": "",
    "archive_cleanup_command": "",
    "recovery_end_command": "",
    # "Replication / Standby Servers": a copy must not occupy production's sender or slot.
    "primary_conninfo": "",
    "primary_slot_name": "",
    # "Replication / Subscribers": 0 starts no launcher, so no apply worker takes the publisher's
    # slot, although the subscription stays enabled in the catalog.
    "max_logical_replication_workers": "0",
    # "Replication / Primary Server": COMMIT would wait for a standby that is not there.
    "synchronous_standby_names": "",
    # No foreign code. pg_cron 1.6 and later: no job runs, even where the library is loaded. A name
    # with a dot is accepted without its library (docs, "Customized Options").
    "cron.launch_active_jobs": "off",
    # "Client Connection Defaults / Shared Library Preloading": a missing library is FATAL.
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    # "Query Tuning / Other Planner Options": jit loads a library of its own.
    "jit": "off",
    # "Autovacuum" ("Vacuuming" since 18): its workers run index functions of the copy.
    "autovacuum": "off",
    # Nothing hidden. "Developer Options": each of them lets damaged data pass.
    "zero_damaged_pages": "off",
    "ignore_checksum_failure": "off",
    "ignore_system_indexes": "off",
    # "Error Handling": a crash ends the server, so it is seen.
    "restart_after_crash": "off",
    "data_sync_retry": "off",
    # Reach. "Connections and Authentication": no certificate, key or announcement of production's.
    # The way in (socket or port) is set by the sandbox.
    "ssl": "off",
    "ssl_passphrase_command": "",
    "krb_server_keyfile": "",
    "bonjour": "off",
    # Log. "Reporting and Logging", and lc_messages of "Locale and Formatting": the log goes to
    # stderr, in English and UTC, because `server/log.py` reads it; it quotes no statement.
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
    # 12 and later, as the sampling of statements below. The trees that "Error Reporting and
    # Logging / What to Log" prints hold the constants of a statement.
    "log_transaction_sample_rate": "0",
    "debug_print_parse": "off",
    "debug_print_rewritten": "off",
    "debug_print_plan": "off",
    "log_checkpoints": "off",
    # No cut-off. "Client Connection Defaults / Statement Behavior": production's limits would end
    # assertions that are slower here.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # Fits. "Resource Usage / Memory" and "Statement Behavior": huge pages and tablespaces of
    # production may not be here.
    "huge_pages": "off",
    "default_tablespace": "",
    "temp_tablespaces": "",
}

_SINCE = {
    # "Write-Ahead Log / Settings": new segments instead of renamed ones.
    "wal_recycle": (12, "off"),
    # "Developer Options": lets recovery pass over references to pages that are not there.
    "ignore_invalid_pages": (13, "off"),
    # "Replication / Sending Servers": nobody receives WAL of the copy.
    "wal_keep_size": (13, "0"),
    # "Reporting and Logging / When to Log" and "/ What to Log": parameters are row values.
    "log_min_duration_sample": (13, "-1"),
    "log_parameter_max_length_on_error": (13, "0"),
    # "Client Connection Defaults / Statement Behavior".
    "idle_session_timeout": (14, "0"),
    # "Connections and Authentication / Connection Settings": a statement ends whose client gave up.
    "client_connection_check_interval": (14, "1s"),
    # "Write-Ahead Log / Archiving".
    "archive_library": (15, ""),
    # "Developer Options". Tablespaces made after the backup are kept inside the data directory:
    # see sources/wal/tablespaces.py.
    "allow_in_place_tablespaces": (15, "on"),
    # "Reporting and Logging / When to Log": the lines that `server/log.py` reads as progress.
    "log_startup_progress_interval": (15, "1s"),
    # "Client Connection Defaults / Statement Behavior": a login trigger could refuse us, or run
    # code of the copy at each login.
    "event_triggers": (17, "off"),
    # "Version and Platform Compatibility": ALTER SYSTEM could undo this on a reload.
    "allow_alter_system": (17, "off"),
    # "Replication / Standby Servers" and "/ Primary Server": no slot follows production's.
    "sync_replication_slots": (17, "off"),
    "synchronized_standby_slots": (17, ""),
    # "Write-Ahead Log / Summarization": one process less.
    "summarize_wal": (17, "off"),
    # "Client Connection Defaults / Statement Behavior".
    "transaction_timeout": (17, "0"),
}
"""Settings that came later: the first major that knows them, and the value."""

_UNTIL = {
    # "Replication / Standby Servers": removed in 16.
    "promote_trigger_file": (15, ""),
}
"""Settings that were removed: the last major that knows them, and the value."""

_PER_CONNECTION = (
    "event_triggers",
    "ignore_checksum_failure",
    "ignore_system_indexes",
    "zero_damaged_pages",
    "log_statement",
    "log_min_messages",
    "log_min_duration_statement",
    "log_min_duration_sample",
    "log_transaction_sample_rate",
    "log_min_error_statement",
    "log_parameter_max_length_on_error",
    "debug_print_parse",
    "debug_print_rewritten",
    "debug_print_plan",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
    "client_connection_check_interval",
)
"""Settings above that ALTER ROLE and ALTER DATABASE can change; each keeps its value above."""

_EMPTY_PER_CONNECTION = (
    "session_preload_libraries",
    "local_preload_libraries",
    "default_tablespace",
)
"""Such settings whose value is empty."""

_QUESTION = {
    # A search path of the copy's could give our words other meanings. Temporary objects come last.
    "search_path": "pg_catalog,pg_temp",
    # How answers are spelled, and in which language.
    "DateStyle": "ISO,MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_messages": "C",
    # How questions are read.
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "session_replication_role": "origin",
    # An answer without the rows that a policy hides would be wrong; an error is not.
    "row_security": "off",
    "default_transaction_isolation": r"read\ committed",
    "default_transaction_deferrable": "off",
    "jit": "off",
    # What a client program prints beside its answer.
    "client_min_messages": "warning",
    # A question must not fail for want of room.
    "temp_file_limit": "-1",
    "array_nulls": "on",
}
"""Settings of connections that ask our own questions: name to value, as libpq's `options` has it.

ALTER ROLE and ALTER DATABASE ... SET of the copy could change each of them.
"""

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
"""Settings whose values in force are queried from the server and kept as evidence."""


def server_settings(major: int, cluster_name: str) -> dict[str, str]:
    """Return the settings of every server of a drill: setting name to value.

    Only names that `major` knows are in it: an unknown one on the command line is FATAL
    ("unrecognized configuration parameter").
    """
    gated = {name: value for name, (since, value) in _SINCE.items() if major >= since}
    gated |= {name: value for name, (until, value) in _UNTIL.items() if major <= until}
    return {**_ALWAYS, **gated, "cluster_name": cluster_name}


def connection_options(major: int, *, read_only: bool) -> str:
    """Return startup options that repeat the quarantine, as libpq's `options` takes them."""
    settings = server_settings(major, "")
    words = [f"-c {name}={settings[name]}" for name in _PER_CONNECTION if name in settings]
    words += [f"-c {name}=" for name in _EMPTY_PER_CONNECTION]
    # ALTER ROLE ... SET role would act as another role. default_transaction_read_only is always
    # set, because production may have made the cluster read-only.
    words += ["-c role=none", f"-c default_transaction_read_only={'on' if read_only else 'off'}"]
    return " ".join(words)


def question_options(major: int) -> str:
    """Return startup options of connections that ask our own questions; they may write."""
    words = [f"-c {name}={value}" for name, value in _QUESTION.items()]
    return " ".join([connection_options(major, read_only=False), *words])
