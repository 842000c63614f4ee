"""Real runs beside a made history: slower than usual, coverage, what is overdue, the inventory."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.demo.server import DEADLINE_SECONDS, PORT, SUPERUSER
from pytest_pgrestore.evidence.file import load
from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.store import DirectoryStore
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.system.waiting import wait_until
from tests.plugin.conftest import MAJOR

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.model.evidence import Evidence
    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)

HISTORY = """
every = "30d"
[history]
place = "past"
"""

TESTS = """
    import pytest

    @pytest.mark.pgrestore("export")
    def test_orders(pgrestore_conn):
        assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (100,)
"""


def remember(drills: Drills, now: Evidence, factor: float, days: range) -> None:
    """Make a history of runs on these days before, that took `factor` times as long."""
    past = drills.pytester.path / "past"
    shutil.rmtree(past, ignore_errors=True)
    for day in days:
        ago = timedelta(days=day)
        earlier = [
            replace(
                record,
                started_at=record.started_at - ago,
                phases=tuple(
                    replace(phase, seconds=phase.seconds * factor) for phase in record.phases
                ),
            )
            for record in now.drills
        ]
        made = replace(
            now,
            run_id=f"day{day}",
            started_at=now.started_at - ago,
            ended_at=now.ended_at - ago,
            drills=tuple(earlier),
        )
        Ledger(DirectoryStore(past)).add(made, to_json(made))


def check_of(drills: Drills) -> tuple[str, str] | None:
    """Verdict and message of the check; None if there is none."""
    for check in drills.record("export@latest").checks:
        if check.name == "slower than usual":
            return str(check.verdict), check.message
    return None


MEANINGS = [
    (0.01, "", 0, "warning"),
    (0.01, 'slower_severity = "error"', 1, "failed"),
    (0.01, 'slower_than_usual = "off"', 0, None),
    (100.0, 'slower_severity = "error"', 0, "passed"),
]
"""How long the runs before took, a setting of the source, exit status, and verdict."""


@pytest.mark.long
def test_a_restore_that_is_slower_than_usual(drills: Drills) -> None:
    """A warning, or a failure, or nothing: as the user chose; its twin is silent."""
    drills.settings(HISTORY)
    drills.write(test_a=TESTS)

    first = drills.run()
    real = drills.evidence()
    assert (first.ret, check_of(drills)) == (0, None)

    for factor, setting, status, verdict in MEANINGS:
        remember(drills, real, factor, range(1, 21))
        drills.settings(f"{setting}\n{HISTORY}")
        result = drills.run()

        found = check_of(drills)
        assert result.ret == status, result.stdout.str()
        assert (None if found is None else found[0]) == verdict
        if verdict == "warning":
            assert_the_warning_is_told(drills, result)


def assert_the_warning_is_told(drills: Drills, result: pytest.RunResult) -> None:
    """The run is green, and every report says it; the chart has a dot for each run."""
    result.stdout.fnmatch_lines(["*warning: slower than usual: the restore took *"])
    assert "slower than usual" in (drills.reports / "summary.md").read_text()
    assert "<polyline" in (drills.reports / "report.html").read_text()
    outlook = drills.record("export@latest").outlook
    assert outlook is not None
    assert (outlook.drills, outlook.not_enough, len(outlook.times)) == (21, "", 21)


@pytest.mark.long
def test_databases_that_assertions_asked_are_counted(drills: Drills, workers: list[str]) -> None:
    """By fixture, by instance, on demand; a test with the marker alone asks none."""
    drills.settings("every = '30d'")
    drills.write(
        test_a="""
        import pytest

        pytestmark = pytest.mark.pgrestore("shop")

        @pytest.fixture(scope="module")
        def held(pgrestore):
            with pgrestore.restore("export").connect() as connection:
                yield connection

        @pytest.fixture
        def one(request, pgrestore_instance):
            with pgrestore_instance.connect(request.param) as connection:
                yield connection

        @pytest.mark.parametrize("one", ["shop", "template1"], indirect=True)
        def test_one(one): assert one
        def test_conn(pgrestore_conn): assert pgrestore_conn
        def test_instance(pgrestore_instance): assert pgrestore_instance.connect("template1")
        def test_env(pgrestore_instance): assert pgrestore_instance.env
        def test_rto(pgrestore_instance): assert pgrestore_instance.rto
        def test_held(held): assert held
        def test_held_too(held): assert held
        """
    )

    result = drills.run(*workers)

    assert result.ret == 0, result.stdout.str()
    asked = {
        (record.source, outcome.name.rpartition("::")[2]): outcome.databases
        for record in drills.evidence().drills
        for outcome in record.assertions
    }
    assert asked["shop", "test_conn"] == ("shop",)
    assert asked["shop", "test_instance"] == ("template1",)
    assert asked["shop", "test_one[shop]"] == ("shop",)
    assert asked["shop", "test_one[template1]"] == ("template1",)
    assert asked["shop", "test_env"] == ("shop",)
    assert asked["shop", "test_rto"] == ()
    assert asked["export", "test_held"] == asked["export", "test_held_too"] == ("shop",)
    coverage = drills.evidence().coverage
    assert coverage is not None
    counted = {
        one.source: {database.name: database.assertions for database in one.databases}
        for one in coverage.sources
    }
    assert counted == {"shop": {"shop": 3}, "export": {"shop": 2}}
    assert drills.record("shop@latest").restored_bytes


LIVE = """
    import pytest

    @pytest.mark.pgrestore("shop")
    def test_orders(pgrestore_conn): assert pgrestore_conn
"""


def archiver_checks(drills: Drills) -> list[tuple[str, str]]:
    """Verdict and message of the check of the archiver."""
    checks = drills.record("shop@latest").checks
    return [(str(one.verdict), one.message) for one in checks if one.name == "archiver failures"]


@pytest.mark.long
def test_failures_of_the_live_archiver_since_the_last_run(drills: Drills) -> None:
    """The first run notes the figures. The next one compares, and stays green."""
    directory = short_directory()
    drills.write(test_a=LIVE)
    with Cluster.create(directory / "c", MAJOR) as cluster:
        server = f"host={cluster.directory} port={PORT} user={SUPERUSER} dbname=postgres"
        text = drills.world.settings("[history]\nplace = 'past'\n")
        live = f'database = "shop"\nlive_conninfo = "{server}"'
        (drills.pytester.path / "pgrestore.toml").write_text(
            text.replace('database = "shop"', live)
        )

        first = drills.run()
        noted = drills.record("shop@latest").archiver
        nothing = archiver_checks(drills)
        ((segment,),) = cluster.sql("select pg_walfile_name(pg_current_wal_lsn())")
        (cluster.archive / segment).touch()  # which the archive command refuses
        cluster.sql("create table filled as select 1")
        cluster.sql("select pg_switch_wal()")
        wait_until(
            lambda: cluster.sql("select failed_count from pg_stat_archiver") != [(0,)],
            what="the archiver",
            timeout_seconds=DEADLINE_SECONDS,
        )
        second = drills.run()
        found = archiver_checks(drills)
    third = drills.run()
    gone = archiver_checks(drills)
    shutil.rmtree(directory)

    assert (first.ret, nothing) == (0, []), first.stdout.str()
    assert noted is not None
    assert noted.failed_count == 0
    assert second.ret == 0, second.stdout.str()
    assert found[0][0] == "warning"
    second.stdout.fnmatch_lines(["*warning: archiver failures: * failed attempts since the last*"])
    assert third.ret == 6
    assert gone[0][0] == "could not verify"


SETTINGS = """
[sources.shop]
type = "dump"
path = "/no/such.dump"
every = "30d"

[sources.shop.copies]
offsite = {{ path = "/no/other.dump" }}

[inventory]
{inventory}

[history]
place = "past"
"""


@pytest.fixture
def reports(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without a drill: short runs, and other plugins are not loaded."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "pgrestore")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(test_a="def test_a(): pass")
    (pytester.path / "clusters.txt").write_text("# all\nshop\ncluster-b/crm\n")
    (pytester.path / "windows.txt").write_bytes("\ufeffshop\r\n# all\r\n".encode())
    (pytester.path / "list.py").write_text("import os\nprint('shop\\n' + os.environ['MORE'])\n")
    return pytester.path / "pgrestore-report"


COMMAND = f"command = [{json.dumps(sys.executable)}, "
INVENTORIES = {
    "file": ('file = "clusters.txt"', "cluster-b/crm is in the inventory, and no source covers it"),
    "all of it": ('file = "clusters.txt"\nignore = ["cluster-b"]', ""),
    "command": (
        f'{COMMAND}"list.py"]\nenv = {{ MORE = "crm" }}',
        "crm is in the inventory, and no source covers it",
    ),
    "a command that lists what there is": (f'{COMMAND}"list.py"]\nenv = {{ MORE = "" }}', ""),
    "no such file": ('file = "clusters.tx"', "No such file or directory"),
    "no such program": ('command = ["/no/such"]', "could not start /no/such"),
    "a command that fails": (f'{COMMAND}"-c", "raise SystemExit(3)"]', "exited with status 3"),
    "a command that prints what it was given": (
        f"""{COMMAND}"-c", "import os; raise SystemExit(os.environ['TOKEN'])"]
env = {{ TOKEN = "hunter2-of-the-cmdb" }}""",
        "exited with status 1: ***; run the command by hand",
    ),
    "a list that Windows wrote": (
        f'{COMMAND}"list.py"]\nenv = {{ MORE = "\\r\\nshop\\r\\n" }}',
        "",
    ),
    "a file that Windows wrote": ('file = "windows.txt"', ""),
    "a command that prints nothing": (f'{COMMAND}"-c", ""]', "it names nothing"),
    "a command without an end": (
        f'{COMMAND}"-c", "import signal; signal.pause()"]\ntimeout = "1s"',
        "did not end within 1 s; run the command by hand: it has PATH and the `env`",
    ),
}


def test_the_inventory_is_compared_in_full_runs(pytester: pytest.Pytester, reports: Path) -> None:
    """What nobody has configured makes the run not green, and so does an unknown inventory."""
    for name, (inventory, told) in INVENTORIES.items():
        (pytester.path / "pgrestore.toml").write_text(SETTINGS.format(inventory=inventory))

        result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--no-pgrestore-strict")

        evidence = load((reports / "evidence.json").read_text())
        assert result.ret == (6 if told else 0), name
        assert any(told in problem for problem in evidence.problems), (name, evidence.problems)
        assert "Traceback" not in result.stdout.str()


def test_a_part_of_the_tests_need_not_cover_everything(
    pytester: pytest.Pytester, reports: Path
) -> None:
    """Whoever runs one test in the day is not told of the whole fleet."""
    inventory = INVENTORIES["file"][0]
    (pytester.path / "pgrestore.toml").write_text(SETTINGS.format(inventory=inventory))

    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--no-pgrestore-strict", "-k", "test_a"
    )

    assert result.ret == 0
    coverage = load((reports / "evidence.json").read_text()).coverage
    assert coverage is not None
    assert (coverage.full, coverage.inventory) == (False, None)


def test_what_is_overdue_and_what_the_inventory_lacks(
    pytester: pytest.Pytester, reports: Path
) -> None:
    """A copy has the name of its source, unless it has its own."""
    inventory = 'file = "clusters.txt"\nignore = ["cluster-b"]'
    text = SETTINGS.format(inventory=inventory) + '[sources.old]\ntype = "dump"\npath = "x"\n'
    (pytester.path / "pgrestore.toml").write_text(text)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--no-pgrestore-strict")

    coverage = load((reports / "evidence.json").read_text()).coverage
    assert coverage is not None
    assert coverage.inventory is not None
    assert coverage.inventory.unlisted == ("old",)
    assert [one.source for one in coverage.sources if one.overdue] == ["shop", "shop.offsite"]
    assert result.ret == 0


def test_a_history_that_cannot_be_read_is_a_problem(
    pytester: pytest.Pytester, reports: Path
) -> None:
    """A run that compares nothing does not look like one that found nothing."""
    (pytester.path / "past").write_text("a file")
    text = SETTINGS.format(inventory='file = "clusters.txt"')
    (pytester.path / "pgrestore.toml").write_text(text)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--no-pgrestore-strict")

    (first, *_) = load((reports / "evidence.json").read_text()).problems
    assert result.ret == 6
    assert first.startswith("nothing is compared with the runs before: the history ")
