"""Scripts of pgTAP: each ``ok`` and ``not ok`` is a test; what ends a script early is no verdict.

Debian's PostgreSQL has pgTAP; the embedded ones have no extensions of others.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.model.verdict import Verdict
from tests.plugin.conftest import Drills, use_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.long

MAJOR = 15
VALUE = "secret-note-7"

GOOD = r"""
\set QUIET 1
\pset format unaligned
begin;
select plan(3);
select has_table('orders');
select has_pk('orders', 'orders have a key');
delete from orders;
select is_empty('select * from orders', 'they can be deleted');
select * from finish();
rollback;
"""

BAD = """
begin;
select plan(5);
select is(count(*)::int, 99, 'ninety-nine orders') from orders;
select is(note, 'nothing', note) from orders where id = 7;
select skip('not here');
select todo_start('later');
select fail('not yet');
select todo_end();
select pass('fine');
select * from finish();
rollback;
"""

ENDS_EARLY = """
begin;
select plan(2);
select pass('one');
rollback;
"""

GIVES_UP = """
select plan(1);
select 'Bail out!  no luck';
"""

OF_PSQL = r"""
\i other.sql
select plan(1);
"""


@pytest.fixture(scope="module")
def dump() -> Iterator[Path]:
    """A dump of a database with ten orders."""
    directory = short_directory()
    with Cluster.create(directory / "c", MAJOR) as cluster:
        cluster.sql("create table orders (id bigint primary key, note text)")
        cluster.sql(
            "insert into orders select i, 'secret-note-' || i from generate_series(1, 10) i"
        )
        made = cluster.dump(directory / "shop.dump", "postgres")
    yield made
    shutil.rmtree(directory)


@pytest.fixture
def project(dump: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Drills:
    """A project whose only source is the dump."""
    use_sandbox(monkeypatch, "local")
    drills = Drills.__new__(Drills)
    drills.pytester, drills.reports = pytester, pytester.path / "pgrestore-report"
    (pytester.path / "pgrestore.toml").write_text(
        f'[sources.shop]\ntype = "dump"\npath = "{dump}"\n'
    )
    return drills


def scripts(project: Drills, **texts: str) -> None:
    """Write scripts and the drill file that names them."""
    project.drill_file("tap", 'source = "shop"\ntap = "tests/*.sql"\n')
    directory = project.pytester.path / "tests"
    directory.mkdir()
    for name, text in texts.items():
        (directory / f"{name}.sql").write_text(text)


def test_a_script_whose_tests_pass_is_green(project: Drills) -> None:
    """It runs on a private copy, and may write there."""
    scripts(project, good=GOOD, again=GOOD)

    result = project.run()

    assert result.ret == 0, result.stdout.str()
    assert {verdict for verdict, _ in project.outcomes().values()} == {Verdict.PASSED}
    assert set(project.outcomes()) == {
        *("good.sql", "again.sql"),
        *("good.sql [1 Table orders should exist]", "again.sql [1 Table orders should exist]"),
        *("good.sql [2 orders have a key]", "again.sql [2 orders have a key]"),
        *("good.sql [3 they can be deleted]", "again.sql [3 they can be deleted]"),
    }


def test_each_bad_test_is_a_failure_of_its_own(project: Drills) -> None:
    """Its description is shown where it is the author's, and no value."""
    scripts(project, bad=BAD)

    result = project.run()

    assert result.ret == 1
    found = {name: verdict for name, (verdict, _) in project.outcomes().items()}
    assert found == {
        "bad.sql [1 ninety-nine orders]": Verdict.FAILED,
        "bad.sql [2]": Verdict.FAILED,
        "bad.sql [3]": Verdict.SKIPPED,
        "bad.sql [4 not yet]": Verdict.SKIPPED,
        "bad.sql [5 fine]": Verdict.PASSED,
        "bad.sql": Verdict.FAILED,
    }
    assert not [name for name, text in project.everything(result).items() if VALUE in text]


def test_a_script_whose_tests_are_left_out_proves_nothing(project: Drills) -> None:
    """It is left out itself, and so the drill has no assertion that ran."""
    scripts(project, later="select plan(2); select skip(2, 'later');")

    result = project.run()

    assert result.ret == 6
    found = project.outcomes()
    assert {verdict for verdict, _ in found.values()} == {Verdict.SKIPPED}
    assert found["later.sql"][1] == "all 2 were left out"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ENDS_EARLY, "planned 2 tests, and ran 1"),
        (GIVES_UP, "gave up (Bail out!)"),
        (OF_PSQL, r"has psql's command \i"),
        ("select plan(1); selekt 1;", "syntax error"),
        ("select 1;", "planned no tests, and ran 0"),
    ],
    ids=["too few", "bail out", "psql", "mistake", "nothing"],
)
def test_a_script_that_does_not_say_is_not_verified(project: Drills, text: str, told: str) -> None:
    """A script that ended early promises nothing of the rest."""
    scripts(project, one=text)

    result = project.run()

    assert result.ret == 6, result.stdout.str()
    verdict, message = project.outcomes()["one.sql"]
    assert verdict == Verdict.COULD_NOT_VERIFY
    assert told in message


RUNS_FUNCTIONS = """
create schema checks;
create function checks.test_orders() returns setof text language sql
  as $$ select is(count(*)::int, 10, 'ten orders') from orders $$;
select * from runtests('checks'::name);
"""


def test_tests_that_are_functions_count(project: Drills) -> None:
    """Each function is reported as a subtest."""
    scripts(project, functions=RUNS_FUNCTIONS)

    result = project.run()

    assert result.ret == 0, result.stdout.str()
    assert project.outcomes() == {
        "functions.sql [1 checks.test_orders]": ("passed", ""),
        "functions.sql": ("passed", ""),
    }


def test_the_keys_of_the_file_count(project: Drills) -> None:
    """A warning leaves the run green; a slow script is not verified; the role has its grants."""
    scripts(project, bad="select plan(1); select is(current_user::text, 'x', 'who');")
    keys = 'source = "shop"\ntap = "tests/*.sql"\n'
    project.drill_file("tap", keys + 'severity = "warn"\nas_role = "pg_monitor"\n')
    slow = project.pytester.path / "tests" / "slow.sql"

    warned = project.run("--pgrestore-show-values")
    found = project.outcomes()
    slow.write_text("select plan(1); select pg_sleep(60); select pass('x');")
    project.drill_file("tap", keys + 'timeout = "0.1s"\n')
    late = project.run("-k", "slow")

    assert warned.ret == 0
    verdict, message = found["bad.sql [1 who]"]
    assert verdict == Verdict.WARNING
    assert "have: pg_monitor" in message
    assert late.ret == 6
    assert "57014" in project.outcomes()["slow.sql"][1]
