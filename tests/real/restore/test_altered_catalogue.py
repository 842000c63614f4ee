"""Copies whose catalogue or settings were altered, so that our questions mean something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.demo.cluster import Cluster
from pytest_pgrestore.model.drill import Drill, DrillSettings
from pytest_pgrestore.restore.drill import finish_drill, run_drill
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.worlds import MAJORS, Drilled

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.restore.drill import DrillResult
    from pytest_pgrestore.sandboxes.protocol import Run

SECONDS = 25.0
"""Deadline of a drill whose server never answers; a healthy one of this size needs three."""

SETTINGS_ROWS = (
    "create function pg_catalog.pg_show_all_settings(out name text, out setting text)"
    " returns setof record language sql volatile as"
)
SLEEPING_SETTINGS = (
    "alter function pg_catalog.pg_show_all_settings() rename to its_settings",
    f"{SETTINGS_ROWS} $$ select 'archive_mode', 'off' from pg_sleep(3600) $$",
    "set allow_system_table_mods = on",
    (
        "create or replace view pg_catalog.pg_settings as select i.name, i.setting, i.unit,"
        " i.category, i.short_desc, i.extra_desc, i.context, i.vartype, i.source, i.min_val,"
        " i.max_val, i.enumvals, i.boot_val, i.reset_val, i.sourcefile, i.sourceline,"
        " i.pending_restart from pg_catalog.its_settings() i, pg_sleep(3600)"
    ),
)
LYING_SETTINGS = (
    SLEEPING_SETTINGS[0],
    (
        f"{SETTINGS_ROWS} $$ select name, case name when 'archive_mode' then 'on' else setting end"
        " from pg_catalog.its_settings() $$"
    ),
)
SLEEPING_COUNTER = (
    "alter function pg_catalog.pg_stat_get_db_checksum_failures(oid) rename to its_failures",
    (
        "create function pg_catalog.pg_stat_get_db_checksum_failures(oid) returns bigint"
        " language sql volatile as $$ select 0::bigint from pg_sleep(3600) $$"
    ),
)
VIEWS = ("pg_settings", "pg_stat_activity", "pg_roles", "pg_extension", "pg_namespace")
CALLS = ("pg_is_in_recovery()", "pg_last_wal_replay_lsn()", "pg_relation_filepath(oid)")
OWNERS = ("database postgres", "role postgres in database postgres")
SETTINGS = (
    "DateStyle = 'German, DMY'",
    "IntervalStyle = sql_standard",
    "TimeZone = 'Pacific/Apia'",
    "bytea_output = escape",
    "extra_float_digits = '-15'",
    "standard_conforming_strings = off",
    "backslash_quote = off",
    "quote_all_identifiers = on",
    "transform_null_equals = on",
    "array_nulls = off",
    "xmloption = document",
    "default_transaction_isolation = serializable",
    "default_transaction_deferrable = on",
    "default_transaction_read_only = on",
    "client_encoding = 'LATIN1'",
    "client_min_messages = debug5",
    "client_connection_check_interval = 0",
    "statement_timeout = 1",
    "lock_timeout = 1",
    "idle_in_transaction_session_timeout = 1",
    "idle_session_timeout = 1",
    "role = nobody",
    "row_security = off",
    "session_replication_role = replica",
    "check_function_bodies = off",
    "jit = on",
    "jit_above_cost = 0",
    "temp_file_limit = 0",
    "work_mem = '64kB'",
    "max_stack_depth = '100kB'",
    "plan_cache_mode = force_generic_plan",
    "enable_seqscan = off",
    "default_tablespace = pg_default",
    "temp_tablespaces = pg_default",
    "log_statement = 'all'",
    "log_min_messages = debug5",
    "log_min_duration_statement = 0",
    "log_transaction_sample_rate = 1",
    "log_min_error_statement = debug5",
    "debug_print_plan = on",
    "session_preload_libraries = 'a_library_that_is_not_here'",
    "local_preload_libraries = 'a_library_that_is_not_here'",
)
"""What ALTER DATABASE and ALTER ROLE can leave behind to change what we ask, or read."""

OTHER_MEANINGS = (
    "create schema evil",
    (
        "create table evil.pg_database as select 'x'::name datname, false datistemplate,"
        " true datallowconn"
    ),
    "create table evil.pg_class as select 1 i",
    "create function evil.count(text) returns text language sql as $$ select 'many' $$",
    "create function evil.current_setting(text) returns text language sql as $$ select 'x' $$",
    "create schema theirs",
    "create table theirs.found as select 7 i",
    "alter role postgres set search_path = theirs, evil, pg_catalog, public",
    *(
        f"create view evil.{name} as select 'evil'::text name, 'evil'::text setting"
        for name in VIEWS
    ),
    *(
        f"create function evil.{name} returns text language sql as $$ select 'evil' $$"
        for name in CALLS
    ),
    "create role nobody",
    *(f"alter {whose} set {setting}" for whose in OWNERS for setting in SETTINGS),
)


def altered(place: Path, major: int, statements: tuple[str, ...]) -> BasebackupSource:
    """Return a backup of a server on which `statements` were run, in the database postgres."""
    with Cluster.create(place / "c", major) as cluster:
        with cluster.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())
        backup = cluster.base_backup(place / "c" / "backups" / "one")
    return BasebackupSource("shop", str(backup), wal=str(place / "c" / "archive"))


def drilled(source: BasebackupSource, run: Run, logs: Path, seconds: float) -> DrillResult:
    """Drill `source`, which may wait as long as `seconds` at a time."""
    settings = DrillSettings(timeout_seconds=seconds, database="postgres")
    return run_drill(Drill("shop"), source, settings, run, log_directory=logs, progress=print)


def test_settings_that_sleep_do_not_hold_the_drill(run: Run, place: Path, tmp_path: Path) -> None:
    """Both what stands below the view and the view: which one we ask is no protection.

    It waits as long as a drill may, so one major stands for all.
    """
    source = altered(place, 18, SLEEPING_SETTINGS)

    result = drilled(source, run, tmp_path / "logs", SECONDS)
    finish = finish_drill(run, "shop@latest", result.access, tmp_path / "logs")

    failure = result.record.failure
    assert failure is not None
    assert failure.verdict == "could not verify"
    assert "gave no answer" in failure.problem
    assert finish.teardown.removed


def test_settings_that_lie_are_not_believed(run: Run, place: Path, tmp_path: Path) -> None:
    """The server's arguments say one thing, and its SQL another."""
    source = altered(place, 18, LYING_SETTINGS)

    result = drilled(source, run, tmp_path / "logs", 120.0)
    finish = finish_drill(run, "shop@latest", result.access, tmp_path / "logs")

    assert Drilled(result).verdict_of("quarantine") == "could not verify"
    assert "archive_mode is 'on'" in Drilled(result).message_of("quarantine")
    assert result.access is None
    assert finish.teardown.removed


def test_a_question_after_the_tests_ends_soon(run: Run, place: Path, tmp_path: Path) -> None:
    """It is asked after SIGTERM too, when there is little time."""
    source = altered(place, 18, SLEEPING_COUNTER)

    result = drilled(source, run, tmp_path / "logs", 120.0)
    finish = finish_drill(run, "shop@latest", result.access, tmp_path / "logs")

    assert result.access is not None, Drilled(result).cause
    (check,) = (check for check in finish.checks if check.name == "page checksums")
    assert check.verdict == "could not verify"
    assert "no answer for 15 s" in check.message
    assert finish.teardown.removed


@pytest.mark.parametrize("major", MAJORS)
def test_settings_and_names_of_the_copy_change_no_answer(
    run: Run, place: Path, tmp_path: Path, major: int
) -> None:
    """Our questions are asked with settings of ours; the user's statements keep the copy's."""
    source = altered(place, major, OTHER_MEANINGS)

    result = drilled(source, run, tmp_path / "logs", 120.0)
    assert result.access is not None, Drilled(result).cause
    with result.access.open() as connection:
        found = connection.execute("select i from found").fetchone()
        theirs = connection.execute(
            "select pg_catalog.current_setting('DateStyle'),"
            " pg_catalog.current_setting('TimeZone'), current_user::pg_catalog.text"
        ).fetchone()
    with result.access.ask() as connection:
        shown = connection.execute(
            "select current_setting('search_path'), current_setting('DateStyle'),"
            " current_setting('client_encoding'), count('x')::text"
        ).fetchone()
    finish = finish_drill(run, "shop@latest", result.access, tmp_path / "logs")

    assert found == (7,)
    assert theirs == ("German, DMY", "Pacific/Apia", "postgres")
    assert shown == ("pg_catalog,pg_temp", "ISO, MDY", "UTF8", "1")
    assert [check.name for check in result.record.checks if check.verdict != "passed"] == []
    quarantine = Drilled(result).message_of("quarantine")
    assert "read from outside too, in /proc: the arguments of process" in quarantine
    assert finish.checks[0].verdict == "passed"
    assert finish.teardown.removed
    logs = "".join(log.read_text() for log in tmp_path.rglob("server*.log"))
    assert "from found" not in logs
