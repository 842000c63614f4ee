"""Copies that carry one hazard each, restored beside a live production that records accesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from pytest_pgrestore.demo.cluster import PORT
from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore.drill import DrillSettings, finish_drill, run_drill
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.system.waiting import wait_until
from tests.real.hostile import HAZARDS, OWN_LOOKS, ROWS, Hazard, Production, production
from tests.real.worlds import MAJORS, Drilled

Drilling = Callable[..., Drilled]
BY_NAME = {hazard.name: hazard for hazard in HAZARDS}
TABLE = {"local": MAJORS, "docker": MAJORS[-1:]}
"""Each hazard on each major, and in each sandbox."""

CASES = [
    (runtime, major, hazard)
    for runtime, majors in TABLE.items()
    for major in majors
    for hazard in HAZARDS
    if major >= hazard.since
]


@pytest.fixture(scope="module")
def productions() -> Iterator[Callable[[int], Production]]:
    """Return the production of a major, started on first use."""
    made: dict[int, Production] = {}
    with ExitStack() as stack:

        def production_of(major: int) -> Production:
            if major not in made:
                made[major] = stack.enter_context(production(major))
            return made[major]

        yield production_of


@pytest.mark.parametrize(
    ("run", "major", "hazard"),
    CASES,
    ids=[f"{runtime}-{major}-{hazard.name}" for runtime, major, hazard in CASES],
    indirect=["run"],
)
def test_a_hazard_does_no_harm(
    productions: Callable[[int], Production], drill: Drilling, major: int, hazard: Hazard
) -> None:
    """The drill passes; production has no new connection, file, row or change of its archive."""
    made = productions(major)
    with hazard.carried_by(made) as copy:
        made.traces()
        before = made.traces()
        drilled = drill(made.source(copy), database="postgres")
        rows = drilled.rows(), drilled.ask("select count(*) from spaced")
        assert drilled.result.access is not None
        for statement in hazard.spelled(hazard.acts, made):
            with (
                drilled.result.access.open() as connection,
                pytest.raises(psycopg.OperationalError),
            ):
                connection.execute(statement.encode())
        after = made.traces()

    assert rows == (ROWS, 7)
    assert drilled.verdict_of("quarantine") == "passed"
    assert drilled.result.record.verdict() is Verdict.PASSED
    # Looking itself leaves as many connections each time.
    assert after.connections - before.connections == OWN_LOOKS
    assert (after.files, after.archive, after.slots, after.rows) == (
        before.files,
        before.archive,
        before.slots,
        before.rows,
    )


@pytest.mark.parametrize("major", MAJORS)
def test_a_prepared_transaction_is_named(
    productions: Callable[[int], Production], drill: Drilling, major: int
) -> None:
    """It holds its locks in the copy: the notes explain why an assertion waits."""
    made = productions(major)
    with BY_NAME["prepared transaction"].carried_by(made) as copy:
        drilled = drill(made.source(copy), database="postgres")

    assert any(
        "prepared transactions" in note and "left_over" in note
        for note in drilled.result.record.notes
    )


def _carried(name: str, made: Production) -> dict[str, str]:
    """Return the settings a hazard's lines stand for."""
    pairs = (line.split(" = ", 1) for line in BY_NAME[name].spelled(BY_NAME[name].lines, made))
    return {setting: value.strip("'") for setting, value in pairs}


@pytest.mark.parametrize("major", MAJORS)
def test_each_tripwire_fires_when_the_copy_is_started_as_it_is(
    productions: Callable[[int], Production], major: int
) -> None:
    """The control: the same copies, started without care, are seen. So the tests can fail."""
    made = productions(major)
    fired = {}

    with BY_NAME["archive_command"].carried_by(made) as copy:
        before = made.traces().archive
        with made.naive(copy, _carried("archive_command", made)):
            wait_until(
                lambda: made.traces().archive != before, what="the archive", timeout_seconds=60
            )
        fired["archive"] = True
        for path in made.cluster.archive.glob("00000002*"):
            path.unlink()

    with BY_NAME["recovery_end_command"].carried_by(made) as copy:
        with made.naive(copy, _carried("recovery_end_command", made)):
            wait_until((made.hooks / "promoted").exists, what="the hook", timeout_seconds=60)
        fired["hook"] = True
        (made.hooks / "promoted").unlink()

    with BY_NAME["subscription"].carried_by(made) as copy, made.naive(copy, {}):
        taken = "select active from pg_replication_slots where slot_name = 'mirror'"
        wait_until(lambda: bool(made.cluster.value(taken)), what="the slot", timeout_seconds=60)
        fired["subscription"] = True

    with BY_NAME["standby"].carried_by(made) as copy, made.naive(copy, _carried("standby", made)):
        taken = "select active from pg_replication_slots where slot_name = 'standby1'"
        wait_until(lambda: bool(made.cluster.value(taken)), what="the standby", timeout_seconds=60)
        fired["standby"] = True

    with BY_NAME["foreign table"].carried_by(made) as copy, made.naive(copy, {}) as cluster:
        wait_until(
            lambda: not cluster.value("select pg_is_in_recovery()"),
            what="promotion",
            timeout_seconds=60,
        )
        seen = made.traces().connections
        cluster.sql("insert into far values ('naive')")
        fired["foreign table"] = made.cluster.value("select count(*) from touched") == 1
        fired["connections"] = made.traces().connections > seen + OWN_LOOKS
        made.cluster.sql("delete from touched")

    assert fired == dict.fromkeys(fired, True)
    assert len(fired) == 6


@pytest.mark.parametrize("mode", [0o777, 0o000], ids=["open", "closed"])
def test_a_unix_socket_is_closed_by_its_permissions_or_named_in_the_evidence(
    productions: Callable[[int], Production], drill: Drilling, mode: int
) -> None:
    """No network namespace cuts it: what is not cut is said, socket by socket."""
    made = productions(MAJORS[-1])
    socket = made.cluster.directory / f".s.PGSQL.{PORT}"
    with HAZARDS[0].carried_by(made) as copy:
        socket.chmod(mode)
        try:
            drilled = drill(made.source(copy), database="postgres")
            try:
                reached = (
                    drilled.ask(
                        "select dblink_connect(%s)", made.conninfo(str(made.cluster.directory))
                    )
                    == "OK"
                )
            except psycopg.OperationalError:
                reached = False
        finally:
            socket.chmod(0o777)

    assert reached == any(str(socket) in sentence for sentence in drilled.result.record.not_checked)
    assert not reached or mode


@pytest.mark.parametrize("major", MAJORS)
def test_what_production_raised_after_the_backup_does_not_stop_recovery(
    drill: Drilling, major: int
) -> None:
    """The WAL tells it; with hot standby recovery would pause for ever, and look open."""
    with production(major) as made:
        copy = made.copy()
        made.cluster.stop()
        raised = {
            "max_connections": "300",
            "max_prepared_transactions": "40",
            "max_locks_per_transaction": "256",
        }
        made.cluster.start(
            {"wal_level": "logical", "max_logical_replication_workers": "0", **raised}
        )
        made.cluster.sql("insert into ledger values (101)")
        made.cluster.switch_wal()
        drilled = drill(made.source(copy), database="postgres")

        assert drilled.rows() == ROWS + 1
        assert drilled.result.record.verdict() is Verdict.PASSED


@pytest.mark.parametrize("major", MAJORS)
def test_a_changed_repository_is_noticed_at_the_end(
    productions: Callable[[int], Production], run: LocalRun, tmp_path: Path, major: int
) -> None:
    """Unchanged it passes, and one file on a timeline of the copy is enough to be seen."""
    made = productions(major)
    found: list[Check] = []
    acts: list[Callable[[], object]] = [bool, (made.cluster.archive / "00000009.history").touch]
    with HAZARDS[0].carried_by(made) as copy:
        for number, act in enumerate(acts):
            wanted = Drill(f"shop{number}", Latest())
            source = made.source(copy)
            result = run_drill(
                wanted,
                source,
                DrillSettings(),
                run,
                log_directory=tmp_path / "logs",
                progress=print,
            )
            act()
            found += finish_drill(run, wanted.key, result.access, tmp_path / "logs").checks
    (made.cluster.archive / "00000009.history").unlink()

    verdicts = [check.verdict.value for check in found if check.name == "repository untouched"]
    assert verdicts == ["passed", "could not verify"]
    assert "00000009.history is new, on another timeline" in found[-1].message
