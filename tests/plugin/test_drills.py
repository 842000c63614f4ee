"""Drills in an ordinary pytest run: their items, one restore each, and pytest's features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import removed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Drills


MANY = """
    import os
    from pathlib import Path

    import pytest

    pytestmark = pytest.mark.pgrestore("shop")

    @pytest.mark.parametrize("number", range(6))
    def test_server(pgrestore_conn, number):
        # Some work: of short tests, one worker may run all before the other one gets any.
        pgrestore_conn.execute("select count(md5(i::text)) from generate_series(1, 200000) i")
        started = pgrestore_conn.execute("select pg_postmaster_start_time()").fetchone()[0]
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        Path(f"seen-{number}").write_text(f"{worker} {started}")

    class TestGrouped:
        def test_instance(self, pgrestore_instance):
            assert pgrestore_instance.backup.kind == "full"
            assert pgrestore_instance.phases
            assert pgrestore_instance.recovered_to.lsn

        @pytest.mark.pgrestore(target="immediate")
        def test_other_target(self, pgrestore_conn):
            assert pgrestore_conn.execute("select count(*) from orders").fetchone()[0] == 100
"""


@pytest.mark.everywhere
def test_each_drill_is_restored_once_and_recorded(drills: Drills, workers: list[str]) -> None:
    """One restore per distinct drill and run, shared by all workers and torn down once."""
    drills.write(test_many=MANY)

    result = drills.run("-v", *workers)

    assert result.ret == 0
    seen = [path.read_text().split(" ", 1) for path in drills.pytester.path.glob("seen-*")]
    assert len(seen) == 6
    assert len({started for _, started in seen}) == 1
    assert len({worker for worker, _ in seen}) == (2 if workers else 1)
    evidence = drills.evidence()
    assert sorted(record.drill for record in evidence.drills) == ["shop@immediate", "shop@latest"]
    assert sorted(len(record.assertions) for record in evidence.drills) == [1, 7]
    assert all(removed(record) for record in evidence.drills)
    assert evidence.verdict() == "passed"


def test_the_items_of_a_drill_come_before_its_first_test(drills: Drills) -> None:
    """A broken backup is a failed item of its own, before the tests."""
    drills.write(test_many=MANY, test_a_plain="def test_plain(): pass")

    result = drills.run("--collect-only", "-q")

    names = [line for line in result.outlines if "::" in line]
    assert names[0] == "test_a_plain.py::test_plain"
    assert names[1:3] == [
        "pgrestore::shop@latest::restored",
        "pgrestore::shop@latest::target reached",
    ]
    assert names.index("pgrestore::shop@immediate::restored") == names.index(
        "test_many.py::TestGrouped::test_other_target"
    ) - len([name for name in names if name.startswith("pgrestore::shop@immediate")])


def test_collect_only_starts_nothing(drills: Drills, workers: list[str], tmp_path: Path) -> None:
    """It costs nothing: no run directory, no server, no report, no error that no drill ran."""
    drills.write(test_many=MANY)

    result = drills.run("--collect-only", f"--pgrestore-sandbox-directory={tmp_path}", *workers)

    assert result.ret == 0
    assert list(tmp_path.iterdir()) == []
    assert not drills.reports.exists()


def test_items_of_drills_are_counted_and_selected_as_tests(drills: Drills) -> None:
    """Pytest's number of deselected items would be wrong if they were not counted."""
    drills.write(test_many=MANY)

    result = drills.run("--collect-only", "-k", "restored")

    result.stdout.fnmatch_lines(["*2/* tests collected (* deselected)*"])
    assert [line.strip() for line in result.outlines].count("<DrillItem restored>") == 2


@pytest.mark.parametrize(
    ("args", "ran"),
    [
        (["-k", "immediate and reached"], {"target reached": 1}),
        (["-m", "not pgrestore"], {}),
    ],
    ids=["an item of one drill", "no drill"],
)
def test_selected_items_run_and_no_others(
    drills: Drills, args: list[str], ran: dict[str, int]
) -> None:
    """`-k` and `-m` are how people run the part they are working on."""
    drills.write(test_many=MANY, test_a_plain="def test_plain(): pass")

    result = drills.run("--no-pgrestore-strict", "-rA", *args)

    passed = [line.rpartition("::")[2] for line in result.outlines if line.startswith("PASSED ")]
    assert result.ret == 0
    assert {name: passed.count(name) for name in set(passed) - {"test_plain"}} == ran


def test_a_test_alone_still_gets_its_instance_and_its_drill_is_recorded(drills: Drills) -> None:
    """Deselecting the items of a drill does not deselect its evidence."""
    drills.write(test_many=MANY)

    result = drills.run("-k", "test_instance", "-rA")

    assert result.ret == 0
    passed = [line for line in result.outlines if line.startswith("PASSED ")]
    assert passed == ["PASSED test_many.py::TestGrouped::test_instance"]
    assert [record.drill for record in drills.evidence().drills] == ["shop@latest"]


def test_stopping_at_the_first_failure_leaves_evidence(drills: Drills) -> None:
    """`-x` stops the tests, not the teardown and the reports."""
    drills.write(
        test_x="""
            import pytest

            pytestmark = pytest.mark.pgrestore("shop")

            def test_false(pgrestore_conn):
                assert pgrestore_conn.execute("select 1").fetchone()[0] == 2

            def test_never(pgrestore_conn):
                assert pgrestore_conn
        """
    )

    result = drills.run("-x")

    assert result.ret == 1
    record = drills.record("shop@latest")
    assert record.verdict() == "failed"
    assert {outcome.name: outcome.verdict.value for outcome in record.assertions} == {
        "test_x.py::test_false": "failed",
        "test_x.py::test_never": "could not verify",
    }
    assert removed(record)


def test_last_failed_runs_the_failed_item_again(drills: Drills) -> None:
    """A failed restore is rerun like any failed test."""
    drills.write(test_many=MANY)
    drills.pytester.runpytest_subprocess("--pgrestore-rto=0s", "-k", "latest")

    result = drills.pytester.runpytest_subprocess(
        "--pgrestore-rto=0s", "--lf", "-rA", "--no-pgrestore-strict"
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED pgrestore::shop@latest::rto*"])


def test_subtests_are_assertions_of_their_own(drills: Drills, workers: list[str]) -> None:
    """Pytest's own JUnit file leaves out those that pass."""
    drills.write(
        test_sub="""
            import pytest

            @pytest.mark.pgrestore("shop")
            def test_tables(pgrestore_conn, subtests):
                for table in ("orders", "pg_class", "customers"):
                    with subtests.test("has rows", table=table):
                        pgrestore_conn.rollback()
                        pgrestore_conn.execute(f"select 1 from {table}")
        """
    )

    result = drills.run(*workers)

    assert result.ret == 1
    found = {outcome.name: outcome.verdict for outcome in drills.record("shop@latest").assertions}
    name = "test_sub.py::test_tables"
    assert found == {
        f"{name} [has rows] (table=orders)": "passed",
        f"{name} [has rows] (table=pg_class)": "passed",
        f"{name} [has rows] (table=customers)": "failed",
        name: "passed",
    }


def test_a_fixture_without_marker_takes_the_only_source(drills: Drills) -> None:
    """One database, one line of configuration."""
    (drills.pytester.path / "pgrestore.toml").write_text(
        f"""
        [sources.only]
        type = "basebackup"
        path = "{drills.world.base}"
        wal = "{drills.world.wal}"
        """
    )
    drills.write(
        test_a="def test_a(pgrestore_conn):\n    assert pgrestore_conn.info.dbname == 'shop'"
    )

    result = drills.run()

    assert result.ret == 0
    assert [record.drill for record in drills.evidence().drills] == ["only@latest"]


def test_a_copy_is_removed_after_its_last_test(drills: Drills) -> None:
    """A run of many drills holds one copy at a time."""
    drills.write(
        test_a="""
            import pytest

            @pytest.mark.pgrestore("shop")
            def test_first(pgrestore_instance):
                global directory
                directory = pgrestore_instance.access.socket_directory

            def test_then():
                from pathlib import Path

                assert not Path(directory).exists()
        """
    )

    result = drills.run()

    assert result.ret == 0
    assert removed(drills.record("shop@latest"))


def test_the_factory_restores_for_a_fixture_of_ones_own(drills: Drills, workers: list[str]) -> None:
    """The drill belongs to every test that uses the fixture, also when the fixture is cached."""
    drills.write(
        test_own="""
            import pytest

            @pytest.fixture(scope="session")
            def orders(pgrestore):
                instance = pgrestore.restore("shop", target="immediate", rto="1h")
                with instance.connect() as connection:
                    yield connection

            def test_first(orders):
                assert orders.execute("select count(*) from orders").fetchone()[0] == 100

            def test_second(orders):
                assert orders.execute("select 1").fetchone()[0] == 2

            def test_other():
                pass
        """
    )

    result = drills.run(*workers)

    assert result.ret == 1
    record = drills.record("shop@immediate")
    assert {outcome.name: outcome.verdict for outcome in record.assertions} == {
        "test_own.py::test_first": "passed",
        "test_own.py::test_second": "failed",
    }
    assert record.rto.judgement == "met"


def test_a_clone_can_be_written_and_its_original_stays(drills: Drills) -> None:
    """Rehearsing a migration must not spoil the evidence of the other tests."""
    drills.write(
        test_clone="""
            import pytest

            pytestmark = pytest.mark.pgrestore("shop", target="immediate")

            @pytest.mark.parametrize("turn", [1, 2])
            def test_migration(pgrestore_clone, turn):
                with pgrestore_clone.connect(read_only=False) as connection:
                    assert connection.execute("delete from orders").rowcount == 100

            def test_original(pgrestore_conn):
                assert pgrestore_conn.execute("select count(*) from orders").fetchone()[0] == 100
        """
    )

    result = drills.run()

    result.assert_outcomes(passed=3 + len(drills.record("shop@immediate").checks_planned))
    assert result.ret == 0


def test_a_worker_that_crashes_leaves_the_evidence_of_its_drill(drills: Drills) -> None:
    """A segfault in a driver costs neither the proof of the restore, nor leaves a copy behind."""
    drills.write(
        test_crash="""
            import os

            import pytest

            pytestmark = pytest.mark.pgrestore("shop")

            @pytest.mark.parametrize("number", range(4))
            def test_server(pgrestore_conn, number):
                if number == 1:
                    os._exit(9)
        """
    )

    result = drills.run("-n2")

    assert result.ret == 6
    record = drills.record("shop@latest")
    assert record.failure is None
    assert removed(record)
    verdicts = [outcome.verdict for outcome in record.assertions]
    assert sorted(verdicts) == ["could not verify", "passed", "passed", "passed"]


def test_a_worker_that_an_ordinary_test_crashes_is_an_ordinary_failure(drills: Drills) -> None:
    """It belongs to no drill, and the drills beside it are verified."""
    drills.write(
        test_crash="""
            import os

            import pytest

            @pytest.mark.pgrestore("shop")
            def test_server(pgrestore_conn):
                assert pgrestore_conn

            def test_crashes():
                os._exit(9)
        """
    )

    result = drills.run("-n2")

    assert result.ret == 1
    assert len(drills.record("shop@latest").assertions) <= 1


def test_a_strict_pytest_reports_nothing(drills: Drills) -> None:
    """Warnings as errors, strict markers and settings: as careful projects run."""
    drills.write(test_many=MANY)
    (drills.pytester.path / "pytest.ini").write_text(
        "[pytest]\n"
        "addopts = --strict-markers --strict-config\n"
        "filterwarnings = error\n"
        "pgrestore_rto = 1h\n"
    )

    result = drills.run()

    assert result.ret == 0
    assert "warning" not in result.stdout.str().lower()
