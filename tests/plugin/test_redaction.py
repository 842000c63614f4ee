"""What reports show in place of row values, and that they never show secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import NOTE

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)
"""What pytest prints does not depend on where the copy runs."""

WORK = """
    import sys

    import pytest

    pytestmark = pytest.mark.pgrestore("export")

    FIRST = "select note from orders order by id limit 1"

    def test_count(pgrestore_conn):
        count = pgrestore_conn.execute("select count(*) from orders").fetchone()[0]
        assert count > 1000

    def test_rows(pgrestore_conn):
        query = "select id, note from orders order by id limit 3"
        rows = pgrestore_conn.execute(query).fetchall()
        again = [rows[0], (2, "other"), rows[2]]
        assert rows == again

    def test_same(pgrestore_conn):
        raise KeyError(pgrestore_conn.execute(FIRST).fetchone()[0])

    def test_same_again(pgrestore_conn):
        raise KeyError(pgrestore_conn.execute(FIRST).fetchone()[0])

    def test_cast(pgrestore_conn):
        pgrestore_conn.execute("select note::int from orders")

    @pytest.mark.skipif(True, reason="no orders on Sundays")
    def test_marked(pgrestore_conn):
        assert pgrestore_conn

    def test_own_words(pgrestore_conn):
        pytest.fail("not one order of today")

    def test_print(pgrestore_conn):
        print("output")
        print("more output", file=sys.stderr)
        assert False
"""


def test_what_is_left_is_enough_to_work_with(drills: Drills) -> None:
    """File, line, source, type; numbers as they are; lengths, and which values are the same."""
    drills.write(test_work=WORK)

    result = drills.run("-n2", "-rs")

    result.stdout.fnmatch_lines(["SKIPPED * no orders on Sundays"])
    result.stdout.fnmatch_lines(
        [
            "test_work.py:11: in test_count",
            "    assert count > 1000",
            "E   AssertionError: assert 100 > 1000",
            "E     where count = 100",
        ]
    )
    text = result.stdout.str()
    assert re.search(r"AssertionError: assert <list of 3, #\w{6}> == <list of 3, #\w{6}>", text)
    row = r"<(?:Row|tuple) of 2, #\w{6}>"
    assert re.search(rf"first difference at index 1: {row} != {row}", text)
    assert "SQLSTATE 22P02): invalid input syntax for type integer: (withheld)" in text
    assert "Failed: not one order of today" in text
    withheld = "withheld: it may hold values of rows; --pgrestore-show-values shows it"
    assert text.count(withheld) == 1


def test_a_value_has_another_hash_in_the_next_run(drills: Drills) -> None:
    """Nobody finds the value by trying words, nor compares runs kept for years."""
    drills.write(test_work=WORK)

    runs = [drills.run("-k", "test_same", *workers).stdout.str() for workers in ([], ["-n2"])]

    one, other = (set(re.findall(r"KeyError: <str of 13, #(\w{6})>", text)) for text in runs)
    assert len(one) == len(other) == 1
    assert one != other


def test_a_session_fixture_that_breaks_after_the_last_test(drills: Drills) -> None:
    """The last test reports its error, and need not belong to the drill."""
    drills.write(
        test_a="""
            import pytest

            @pytest.fixture(scope="session")
            def orders(pgrestore):
                with pgrestore.restore("export").connect() as connection:
                    rows = connection.execute("select note from orders").fetchall()
                yield rows
                print(rows[0])
                raise RuntimeError(f"kept {rows[0]}")

            @pytest.fixture(scope="session")
            def notes(orders):
                yield
                print(orders[1])

            def test_orders(notes):
                assert notes is None

            def test_by_name(request):
                assert not request.getfixturevalue("orders")
        """,
        test_b="""
            def test_unrelated():
                value = "plain-value"
                assert not value
        """,
    )

    for flags, shown in (([], False), (["--pgrestore-show-values"], True)):
        result = drills.run("-l", "--junitxml=mine.xml", "-o", "junit_logging=all", *flags)

        result.stdout.fnmatch_lines(["*ERROR test_b.py::test_unrelated*"])
        text = " ".join(drills.everything(result).values())
        assert (NOTE in text) is shown
        assert "assert not request.getfixturevalue" in text
        assert "assert not 'plain-value'" in text


def test_a_drill_file_shows_no_value(drills: Drills, workers: list[str]) -> None:
    """Nor does the server's error about one."""
    drills.drill_file(
        "notes",
        """
        source = "export"

        [[assert]]
        name = "cast"
        sql = "select note::int from orders"
        expect = "no rows"

        [[assert]]
        name = "value"
        sql = "select note from orders limit 1"
        expect = "other"
        """,
    )

    hidden = drills.run("--junitxml=mine.xml", "-l", "--tb=long", *workers)

    assert NOTE not in " ".join(drills.everything(hidden).values())
    assert "select note::int from orders" in hidden.stdout.str()

    revealed = drills.run("--junitxml=mine.xml", "--pgrestore-show-values", *workers)

    assert NOTE in revealed.stdout.str()


@pytest.mark.parametrize(
    "flags", [[], ["--pgrestore-show-values", "-l"]], ids=["hidden", "show-values"]
)
def test_a_secret_of_the_run_is_never_seen(
    drills: Drills, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    """Connection strings from the environment, and the password of libpq's own variable."""
    monkeypatch.setenv("SHOP_DSN", "host=/nowhere dbname=shop user=monitor password=hush-4711")
    monkeypatch.setenv("PGPASSWORD", "quiet-0815")
    drills.settings(
        "[sources.live]\ntype = 'dump'\npath = '/nowhere'\nlive_conninfo = '${SHOP_DSN}'\n"
    )
    drills.write(
        test_environment="""
            import os

            import pytest

            @pytest.mark.pgrestore("export")
            def test_secret(pgrestore_conn, record_property):
                dsn, password = os.environ["SHOP_DSN"], os.environ["PGPASSWORD"]
                record_property("dsn", dsn)
                print(dsn, password)
                assert [dsn, password] == [], f"{dsn} {password}"
        """
    )

    result = drills.run("--junitxml=mine.xml", *flags)

    assert result.ret == 1
    text = " ".join(drills.everything(result).values())
    assert "hush-4711" not in text
    assert "quiet-0815" not in text
    assert ("***" in text) is bool(flags)
