"""Drill files as data teams write them: parameters, roles, many tables, comparisons, SQL files."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.demo.server import PORT, SUPERUSER
from pytest_pgrestore.model.verdict import Verdict
from tests.plugin.conftest import MAJOR

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import AssertionOutcome
    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)
"""SQL is the same in every sandbox."""


def outcomes(drills: Drills, key: str = "export@latest") -> dict[str, AssertionOutcome]:
    """Return the assertions of a drill of the last run by name, without the file."""
    (record,) = (record for record in drills.evidence().drills if record.drill == key)
    return {outcome.name.partition("::")[2]: outcome for outcome in record.assertions}


GOOD = '''
source = "export"
params = { orders = 100 }
params_file = "limits.toml"
sql_file = "checks/*.sql"
timeout = "1m"

[[assert]]
name = "as many as expected"
sql = "select count(*) from orders where 100 % 7 = 2"
expect = "between 100 and 100"

[[assert]]
name = "of a parameter"
sql = "select count(*) = :orders and count(*) > :few from orders where note like :begins"
params = { begins = "secret%" }
expect = true

[[assert]]
name = "before the backup"
sql = """
select count(*) from orders
where created_at > :backup_at + interval '1s' or :drill_started_at < :backup_at
"""
expect = 0

[[assert]]
name = "not empty"
tables = ["public.*", "!public.tmp*"]
sql = "select count(*) from {table} where id % 2 = 1"
expect = "> 0"

[[assert]]
name = "readers read"
as_role = "pg_read_all_data"
set = { "app.tenant" = 7, enable_seqscan = false }
sql = "select current_user || current_setting('app.tenant') || current_setting('enable_seqscan')"
expect = "pg_read_all_data7off"

[[assert]]
name = "it can be written"
writable = true
sql = "insert into orders values (0, 'x') returning id"
expect = 0

[[assert]]
name = "both columns"
sql = "select min(id) as least, max(id) as most, count(*) as n from orders"
expect = { least = 1, most = ">= 100", n = "about 98 within 5%" }

[[assert]]
name = "the first three"
sql = "select id from orders order by id limit 3"
expect = [1, 2, 3]
'''

FILE = """-- name: no order without a note
-- the note is free text: anything goes
-- expect: no rows
-- severity: warn
select id from orders where note is null
"""


def test_what_data_teams_write_passes(drills: Drills, workers: list[str]) -> None:
    """Every key, on a healthy backup: green, and each is counted."""
    drills.drill_file("good", GOOD)
    (drills.pytester.path / "limits.toml").write_text("few = 5\n")
    (drills.pytester.path / "checks").mkdir()
    (drills.pytester.path / "checks" / "notes.sql").write_text(FILE)
    (drills.pytester.path / "checks" / "plain.sql").write_text("select 1 where false")

    result = drills.run(*workers)

    assert result.ret == 0, result.stdout.str()
    assert {name: outcome.verdict for name, outcome in outcomes(drills).items()} == dict.fromkeys(
        [
            *("as many as expected", "of a parameter", "before the backup", "not empty"),
            *("not empty [public.orders]", "readers read", "it can be written", "both columns"),
            *("the first three", "no order without a note", "plain"),
        ],
        Verdict.PASSED,
    )


BAD: dict[str, tuple[str, Verdict, str]] = {
    "shown rows": (
        "sql = 'select id, note from orders order by id'\nexpect = 'no rows'\nshow = ['id']",
        Verdict.FAILED,
        "expected no rows, the query returned 100\n  id = 1\n  id = 2\n",
    ),
    "shown value": (
        "sql = 'select count(*) from orders'\nexpect = 0\nshow = true",
        Verdict.FAILED,
        "expected = 0, observed 100",
    ),
    "warned": (
        "sql = 'select count(*) from orders'\nexpect = 0\nseverity = 'warn'",
        Verdict.WARNING,
        "the observed value does not satisfy = 0",
    ),
    "warned of a mistake": (
        "sql = 'selekt 1'\nexpect = 0\nseverity = 'warn'",
        Verdict.COULD_NOT_VERIFY,
        "the query has a mistake: ",
    ),
    "slow": (
        "sql = 'select pg_sleep(60)'\nexpect = 0\ntimeout = '0.1s'",
        Verdict.COULD_NOT_VERIFY,
        "the statement did not end within 0.1 s",
    ),
    "tables": (
        "tables = 'public.*'\nsql = 'select count(*) from {table}'\nexpect = 7",
        Verdict.FAILED,
        "1 of 1 failed, each with its own message",
    ),
    "all tables taken out": (
        "tables = ['public.*', '!*.orders']\nsql = 'select count(*) from {table}'\nexpect = 7",
        Verdict.FAILED,
        "no table is like public.* without those like *.orders",
    ),
    "no role": (
        "as_role = 'pg_monitr'\nsql = 'select 1'\nexpect = 1",
        Verdict.FAILED,
        "as_role: role 'pg_monitr' is not in the restored copy; pg_monitor is",
    ),
    "nobody set it": (
        "sql = \"select current_setting('app.tenant')\"\nexpect = '2'",
        Verdict.COULD_NOT_VERIFY,
        "HINT: add it to the assertion, such as set = {",
    ),
    "text and number": (
        "sql = \"select '0.00'::text\"\nexpect = '!= 0'",
        Verdict.COULD_NOT_VERIFY,
        "the query returns a text, and expect = '!= 0' is a number",
    ),
    "no tables": (
        "tables = 'erp.*'\nsql = 'select count(*) from {table}'\nexpect = 7",
        Verdict.FAILED,
        "no table is like 'erp.*'; there are: public.orders",
    ),
    "no grant": (
        "as_role = 'pg_monitor'\nsql = 'select count(*) from orders'\nexpect = 100",
        Verdict.FAILED,
        "SQLSTATE 42501): permission denied for table orders",
    ),
    "no setting": (
        "set = { work_memm = '1MB' }\nsql = 'select 1'\nexpect = 1",
        Verdict.COULD_NOT_VERIFY,
        "set: work_memm cannot be '1MB'",
    ),
    "no table": ("sql = 'select 1 from gone'\nexpect = 1", Verdict.FAILED, "gone"),
    "no number": (
        "sql = \"select note from orders limit 1\"\nexpect = '> 5'",
        Verdict.COULD_NOT_VERIFY,
        "the query returns a text, and expect = '> 5' is a number",
    ),
}


def test_what_is_wrong_is_said(drills: Drills) -> None:
    """Would you know at 3 am? No value is in a message whose author did not name it."""
    text = "source = 'export'\n"
    for name, (keys, _, _) in BAD.items():
        text += f"[[assert]]\nname = '{name}'\n{keys}\n"
    drills.drill_file("bad", text)

    result = drills.run()

    found = outcomes(drills)
    assert result.ret == 1
    assert {name: found[name].verdict for name in BAD} == {
        name: verdict for name, (_, verdict, _) in BAD.items()
    }
    for name, (_, _, told) in BAD.items():
        assert told in found[name].message
    assert found["tables [public.orders]"].verdict is Verdict.FAILED
    told = "*warnings: 1 of 16 assertions: drill_bad.toml::warned (the observed value*"
    result.stdout.fnmatch_lines([told])
    assert "secret-note-" not in result.stdout.str() + (drills.reports / "report.html").read_text()


def test_a_run_with_warnings_is_green_and_shows_them(drills: Drills, workers: list[str]) -> None:
    """In each report, and on the terminal while it runs; of Python tests, too."""
    drills.write(
        test_a="""
            import pytest

            pytestmark = pytest.mark.pgrestore("export")

            @pytest.mark.pgrestore(severity="warn")
            def test_warned(pgrestore_conn):
                assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (1,)

            @pytest.mark.pgrestore(severity="warn")
            def test_good(pgrestore_conn):
                assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (100,)
        """
    )

    result = drills.run("-v", *workers)

    assert result.ret == 0
    assert outcomes(drills)["test_warned"].verdict is Verdict.WARNING
    assert outcomes(drills)["test_good"].verdict is Verdict.PASSED
    result.stdout.re_match_lines([".*(test_warned.*WARNING|WARNING.*test_warned)", ".*1 warned"])
    for name, told in {
        "report.html": "Warnings: 1 of 2 assertions: test_a.py::test_warned",
        "junit.xml": "warnings: 1 of 2 assertions: test_a.py::test_warned",
        "summary.md": "Warnings: 1 of 2 assertions: test\\_a.py::test\\_warned",
    }.items():
        assert told in (drills.reports / name).read_text()


def test_a_python_test_that_takes_too_long(drills: Drills) -> None:
    """The marker's timeout is that of each statement of `pgrestore_conn`."""
    drills.write(
        test_a="""
            import pytest

            pytestmark = pytest.mark.pgrestore("export", timeout="0.1s")

            def test_slow(pgrestore_conn):
                pgrestore_conn.rollback()
                pgrestore_conn.execute("select pg_sleep(60)")
        """
    )

    assert drills.run().ret == 6
    assert "57014" in outcomes(drills)["test_slow"].message


COMPARED = """
source = "export"

[[assert]]
name = "as many as yesterday"
sql = "select count(*) from orders"
compare = { source = "shop", target = "time:%s" }
within = "50%%"

[[assert]]
name = "exactly as many"
sql = "select count(*) from orders"
compare = { source = "shop" }
show = true

[[assert]]
name = "the same rows"
sql = "select id, note from orders"
compare = { source = "shop", target = "time:%s", sql = "select id, note from orders where id < 99" }
expect = "same rows"
key = "id"
show = ["id"]
"""


def test_two_drills_are_compared(drills: Drills, workers: list[str]) -> None:
    """Each is restored once, and removed after the last assertion that needs it."""
    moment = drills.world.before_the_deletion.isoformat()
    drills.drill_file("compared", COMPARED % (moment, moment))

    result = drills.run(*workers)

    assert result.ret == 1
    assert len(drills.evidence().drills) == 3
    found = outcomes(drills)
    assert found["as many as yesterday"].verdict is Verdict.PASSED
    assert found["exactly as many"].message == "expected 0 as in shop@latest, observed 100"
    told = found["the same rows"].message.splitlines()
    other = outcomes(drills, "shop@latest")
    assert [one.verdict for one in other.values()] == [Verdict.SKIPPED]  # no finding about it
    side = next(record.drill for record in drills.evidence().drills if "time:" in record.drill)
    assert told == [
        f"the rows are not those of {side}: 2 rows are not in {side}",
        "added: id = 99",
        "added: id = 100",
    ]


def test_one_suite_for_several_drills(drills: Drills) -> None:
    """The same assertions, each with the drill's name."""
    drills.drill_file(
        "suite",
        'source = ["export", { source = "shop", target = "immediate" }]\n'
        '[[assert]]\nname = "there"\nsql = "select count(*) from orders"\nexpect = ">= 100"\n',
    )

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    assert list(outcomes(drills)) == ["there [export@latest]"]
    assert list(outcomes(drills, "shop@immediate")) == ["there [shop@immediate]"]


LIVE = """
source = "export"

[[assert]]
name = "as many as today"
sql = "select count(*) from orders"
compare = { live = true }
within = "5%"
show = true

[[assert]]
name = "exactly as many as today"
sql = "select count(*) from orders"
compare = { live = true }
show = true

[[assert]]
name = "the same rows"
sql = "select id, note from orders where id <= 100"
compare = { live = true }
expect = "same rows"
key = ["id"]

[[assert]]
name = "not there today"
sql = "select count(*) from orders"
compare = { live = true, sql = "select count(*) from orders_of_today" }
"""


def test_the_live_server_is_compared(drills: Drills) -> None:
    """It is asked and not changed; what it lacks is no fault of the backup."""
    directory = short_directory()
    drills.drill_file("live", LIVE)
    with Cluster.create(directory / "c", MAJOR) as cluster:
        cluster.sql("create table orders (id bigint primary key, note text not null)")
        add = "insert into orders select i, 'secret-note-' || i from generate_series(1, 103) i"
        cluster.sql(add)
        server = f"host={cluster.directory} port={PORT} user={SUPERUSER} dbname=postgres"
        drills.settings(f'live_conninfo = "{server}"')

        result = drills.run()
        found = outcomes(drills)
        cluster.sql("update orders set note = 'secret-note-0' where id in (3, 4, 5)")
        changed = drills.run("-k", "rows")

    assert result.ret == 1, result.stdout.str()
    assert {name: outcome.verdict for name, outcome in found.items()} == {
        "as many as today": Verdict.PASSED,
        "exactly as many as today": Verdict.FAILED,
        "the same rows": Verdict.PASSED,
        "not there today": Verdict.COULD_NOT_VERIFY,
    }
    told = "expected 103 as in the live server, observed 100"
    assert found["exactly as many as today"].message == told
    told = found["not there today"].message
    assert told.startswith("the live server gave no answer to compare with: UndefinedTable")
    assert 'relation "orders_of_today" does not exist' in told
    assert changed.ret == 1
    told = "the rows are not those of the live server: note differs in 3 rows"
    assert outcomes(drills)["the same rows"].message == told

    gone = drills.run("-k", "rows")

    assert gone.ret == 6
    assert "the live server: it could not be asked" in outcomes(drills)["the same rows"].message
    shutil.rmtree(directory)


def test_a_comparison_with_nothing_is_a_mistake(drills: Drills) -> None:
    """Before anything is restored."""
    drills.drill_file("live", LIVE + 'severity = "wran"\n')
    typo = drills.run()
    drills.drill_file("live", LIVE.replace("live = true }", 'target = "latest" }'))
    itself = drills.run()
    drills.drill_file("live", LIVE)

    without = drills.run()

    assert (typo.ret, itself.ret, without.ret) == (4, 4, 4)
    typo.stderr.fnmatch_lines(
        ["*assert 'not there today': severity: unknown word", "HINT: write 'error' or *"]
    )
    itself.stderr.fnmatch_lines(["*assert 'as many as today': compare*: it is the drill * itself"])
    without.stderr.fnmatch_lines(
        ["*compare*: live = true, and the source export names no live server"]
    )


def test_the_hour_of_a_backup_that_has_none_is_not_verified(drills: Drills) -> None:
    """A comparison with null would be false, as if the rows were missing."""
    directory = short_directory()
    with Cluster.create(directory / "c", MAJOR) as cluster:
        cluster.sql("create table a as select 1")
        plain = cluster.dump(directory / "plain.sql", "postgres", form="plain")
    drills.settings(f'[sources.plain]\ntype = "dump"\npath = "{plain}"\n')
    drills.drill_file(
        "hour",
        """
        source = "plain"
        [[assert]]
        name = "hour"
        sql = "select now() > :backup_at - interval '1 day'"
        expect = true
        [[assert]]
        name = "drill"
        sql = "select now() > :drill_started_at"
        expect = true
        """,
    )

    drills.run()
    shutil.rmtree(directory)

    found = outcomes(drills, "plain@latest")
    assert found["drill"].verdict is Verdict.PASSED
    assert found["hour"].verdict is Verdict.COULD_NOT_VERIFY
    assert found["hour"].message.startswith(":backup_at is not known here\nHINT: ")
