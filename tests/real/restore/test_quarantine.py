"""A hostile copy of production: it carries all that could steer a server, and touches nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_pgrestore.checks.isolation import NetworkState, OutsideView, isolation
from pytest_pgrestore.demo.cluster import Cluster
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from pytest_pgrestore.system.network import interfaces_of
from pytest_pgrestore.system.server_process import settings_of, titles_of_children
from tests.real.hostile import LOGIN_TRIGGERS_SINCE
from tests.real.worlds import MAJORS, Drilled

Drilling = Callable[..., Drilled]


@dataclass(frozen=True)
class Hostile:
    """A backup with traps, and the file that any of them would leave.

    Attributes:
        source: The backup and its archive.
        tripwire: Exists when a command of the copy has run.
        archive: Production's archive; nothing may be added to it.
    """

    source: BasebackupSource
    tripwire: Path
    archive: Path


def traps(tripwire: Path) -> str:
    """Return the settings a copied configuration file carries."""
    return "\n".join(
        [
            "archive_mode = on",
            f"archive_command = 'touch {tripwire}'",
            f"archive_cleanup_command = 'touch {tripwire}'",
            f"recovery_end_command = 'touch {tripwire}'",
            f"restore_command = 'touch {tripwire}'",
            "data_directory = '/production/data'",
            "external_pid_file = '/production/postmaster.pid'",
            "primary_conninfo = 'host=127.0.0.1 port=1 user=replicator'",
            "primary_slot_name = 'standby1'",
            "shared_preload_libraries = 'a_library_that_is_not_here'",
            "lc_messages = 'no_SUCH.locale'",
            "listen_addresses = '*'",
            "shared_buffers = '64GB'",
            "recovery_min_apply_delay = '1h'",
            "synchronous_standby_names = '*'",
            "include = '/nonexistent/extra.conf'",
            "an_unknown_setting = 'x'",
        ]
    )


@pytest.fixture
def hostile(request: pytest.FixtureRequest, place: Path) -> Hostile:
    """The copy, as a storage snapshot of a careless production would be."""
    major: int = request.param
    tripwire = place / "c" / "tripwire"
    with Cluster.create(place / "c", major) as cluster:
        cluster.sql("create table ledger as select generate_series(1, 100) i")
        cluster.sql("create role dba_root superuser login")
        cluster.sql("create role backup replication login")
        _rename_and_lock(cluster, major)
        backup = _backup(cluster)
    (backup / "postgresql.auto.conf").write_text(traps(tripwire))
    (backup / "postgresql.conf").write_text(traps(tripwire))
    (backup / "standby.signal").touch()
    (backup / "pg_replslot" / "standby1").mkdir()
    (backup / "pg_replslot" / "standby1" / "state").write_bytes(b"broken")
    (backup / "pg_hba.conf").write_text("local all all reject\n")
    archive = place / "c" / "archive"
    source = BasebackupSource("shop", str(backup), wal=str(archive), verify=False)
    return Hostile(source, tripwire, archive)


def _rename_and_lock(cluster: Cluster, major: int) -> None:
    """Rename the usual superuser. The login trigger comes last, because it refuses every login."""
    with (
        cluster.connect("template1", user="dba_root") as connection,
        cluster.connect("postgres") as other,
    ):
        connection.execute("alter role postgres rename to the_real_one")
        connection.execute("alter role the_real_one nologin")
        connection.execute("alter database postgres set default_transaction_read_only = on")
        connection.execute("alter role dba_root set zero_damaged_pages = on")
        connection.execute(
            "alter role dba_root set session_preload_libraries = 'a_library_that_is_not_here'"
        )
        if major >= LOGIN_TRIGGERS_SINCE:
            other.execute(
                "create function refuse() returns event_trigger language plpgsql as"
                " $$ begin raise exception 'no login'; end $$"
            )
            other.execute("create event trigger gate on login execute function refuse()")
            other.execute("alter event trigger gate enable always")


def _backup(cluster: Cluster) -> Path:
    """Take a base backup as the role backup: no superuser may log in."""
    backup = cluster.directory / "backups" / "one"
    backup.parent.mkdir()
    cluster.programs.account.own(backup.parent)
    where = ["--host", str(cluster.directory), "--username", "backup", "--pgdata", str(backup)]
    cluster.programs.run("pg_basebackup", *where, "--checkpoint=fast", "--no-sync")
    return backup


@pytest.mark.parametrize("hostile", MAJORS, indirect=True)
def test_a_hostile_copy_comes_out_right_and_touches_nothing(
    hostile: Hostile, drill: Drilling
) -> None:
    """Every line of the copied files is a way to fail, to wait for ever, or to reach production.

    ALTER ROLE and ALTER DATABASE ... SET beat the command line, and lose to connection options.
    """
    before = sorted(path.name for path in hostile.archive.iterdir())

    drilled = drill(hostile.source, database="postgres")

    assert drilled.ask("select count(*) from ledger") == 100
    assert drilled.verdict_of("quarantine") == "passed"
    assert not hostile.tripwire.exists()
    assert sorted(path.name for path in hostile.archive.iterdir()) == before
    assert drilled.result.access is not None
    assert drilled.result.access.user == "dba_root"
    assert drilled.ask("show zero_damaged_pages") == "off"
    assert drilled.ask("show session_preload_libraries") == ""


def test_the_check_fires_when_the_quarantine_does_not_hold(place: Path) -> None:
    """A check that cannot fail proves nothing: the same queries, on production itself."""
    # This process has the machine's own network, as a server has that was started without care.
    state = NetworkState("", cut=True, interfaces=interfaces_of(os.getpid()))
    wanted = {"archive_mode": "off", "restart_after_crash": "off"}
    with Cluster.create(place) as production, production.connect() as connection:
        check, settings = isolation(connection, wanted, state, OutsideView(None, None, None))
        server = int((production.data / "postmaster.pid").read_text().split()[0])
        outside = OutsideView(server, settings_of(server), titles_of_children(server, ""))

    assert check.verdict == "could not verify"
    assert "archive_mode is 'on'" in check.message
    assert "a 'logical replication launcher' process runs" in check.message
    assert "the server has network interface" in check.message
    assert settings["restart_after_crash"] == "on"
    problems = outside.problems(wanted)
    assert "archive_mode is 'on' in the server's arguments" in problems
    assert any("logical replication launcher" in problem for problem in problems)
    assert not any("checkpointer" in problem or "[local]" in problem for problem in problems)


@pytest.mark.parametrize("major", [15, 18])
def test_a_copy_in_which_no_superuser_may_log_in_is_opened(
    drill: Drilling, place: Path, major: int
) -> None:
    """Single-user mode on the recovered copy makes a role; no password of production is needed."""
    with Cluster.create(place / "c", major) as cluster:
        cluster.sql("create table ledger as select generate_series(1, 100) i")
        cluster.sql("create role backup replication login")
        cluster.sql("alter role postgres nologin")
        backup = _backup(cluster)

    drilled = drill(BasebackupSource("shop", str(backup)), database="postgres")

    assert drilled.rows() == 100
    assert drilled.result.access is not None
    assert drilled.result.access.user == "pgrestore_harness"
    assert any("single-user mode" in note for note in drilled.result.record.notes)
