"""No report, pytest's own or ours, holds row values, unless the user asks for them, or secrets.

The tests that leak are in a project of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Drills

MARKER = "secret-note-"
"""In every row of `orders`, and nowhere in the code of the tests below."""

LEAKS = """
    import logging
    import sys
    import threading
    import unittest
    import warnings
    from dataclasses import dataclass

    import pytest

    pytestmark = pytest.mark.pgrestore("export")

    @pytest.fixture
    def note(pgrestore_conn):
        return pgrestore_conn.execute("select note from orders order by id limit 1").fetchone()[0]

    @pytest.fixture
    def rows(pgrestore_conn):
        return pgrestore_conn.execute("select id, note from orders order by id limit 3").fetchall()

    @pytest.fixture
    def breaks(note):
        raise RuntimeError(note)

    @pytest.fixture
    def breaks_later(note):
        yield
        raise RuntimeError(f"cleaning up after {note}")

    @dataclass
    class Order:
        note: str

    def test_equal_lists(rows):
        assert rows == [(1, "other"), (2, "other")]

    def test_equal_texts(note):
        assert note == "other"

    def test_membership(note, rows):
        assert note in [row[0] for row in rows]

    def test_not_in(note, rows):
        assert note not in [row[1] for row in rows]

    def test_dictionaries(note):
        assert {"note": note} == {"note": "other", "more": 1}

    def test_sets(note):
        assert {note} == {"other"}

    def test_truth(note):
        assert not note

    def test_call(note):
        assert note.startswith("other")

    def test_dataclass(note):
        assert Order(note) == Order("other")

    def test_message(note, rows):
        assert not rows, f"found {rows}"

    def test_exception(note):
        raise ValueError(f"bad order {note}")

    def test_key(note):
        {}[note]

    def test_chain(note):
        try:
            {}[note]
        except KeyError as exc:
            raise RuntimeError("while looking") from exc

    def test_context(note):
        try:
            {}[note]
        except KeyError:
            raise RuntimeError("while looking")

    def test_note_on_exception(note):
        error = ValueError()
        error.add_note(note)
        raise error

    def test_group(note):
        raise ExceptionGroup(note, [ValueError(note), KeyError(note)])

    def test_raises_match(note):
        with pytest.raises(ValueError, match="other"):
            raise ValueError(note)

    def test_fail(note):
        pytest.fail(f"bad order {note}")

    def test_fail_without_traceback(note):
        pytest.fail(f"bad order {note}", pytrace=False)

    def test_skip(note):
        pytest.skip(f"bad order {note}")

    def test_xfail(note):
        pytest.xfail(f"bad order {note}")

    @pytest.mark.xfail
    def test_xfail_marked(note):
        assert note == "other"

    def test_print(note):
        print(note)
        print(note, file=sys.stderr)
        logging.getLogger("shop").warning("order %s", note)
        assert False

    def test_print_and_pass(note):
        print(note)

    def test_property(note, record_property):
        record_property("order", note)

    def test_broken_fixture(breaks):
        pass

    def test_broken_teardown(breaks_later):
        pass

    def test_warning(note):
        warnings.warn(f"odd order {note}")

    def test_unique(pgrestore_clone):
        with pgrestore_clone.connect(read_only=False) as connection:
            connection.execute("create unique index on orders (note)")
            connection.execute("insert into orders select id + 1000, note from orders limit 1")

    def test_cast(pgrestore_conn):
        pgrestore_conn.execute("select note::int from orders")

    def test_raise_in_sql(pgrestore_conn):
        pgrestore_conn.execute(
            "do $$ begin raise exception 'order %', (select note from orders limit 1)"
            " using errcode = '23514'; end $$"
        )

    def test_on_demand(request):
        conn = request.getfixturevalue("pgrestore_conn")
        assert conn.execute("select note from orders").fetchone()[0] is None

    def helper(value):
        assert value == "other"

    def test_deep(note):
        helper(note)

    def test_subtests(note, subtests):
        with subtests.test("first"):
            print(note)
            logging.getLogger("shop").warning("order %s", note)
            assert note == "other"

    class TestUnit(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _note(self, note):
            self.note = note

        def test_unittest(self):
            self.assertEqual(self.note, "other")

        def test_unittest_subtest(self):
            with self.subTest("one"):
                self.assertEqual(self.note, "other")

        def test_unittest_skip(self):
            raise unittest.SkipTest(self.note)

    def test_thread(note):
        def run():
            raise ValueError(note)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    def test_unraisable(note):
        class Breaks:
            def __del__(self):
                raise ValueError(note)

        Breaks()

    def test_long(note):
        assert [note] * 1000 == [note] * 999 + ["other"]

    def test_large_text(note):
        assert f"{note} " * 100 == "other"

    def test_repr_of_an_object(note):
        class Shop:
            def __repr__(self):
                return note

        shop = Shop()
        assert shop is None
"""

NOT_IN_XML = {"test_warning", "test_xfail_marked", "test_thread", "test_unraisable"}
"""Tests with a leak that pytest shows on the terminal only."""

HOW = [
    ["--tb=long", "-l", "-vv", "-rA"],
    ["-n2", "-l", "--tb=long", "-rA"],
]
"""Flags that change how pytest shows failures. ``-l`` alone is another test."""

MORE_HOW = [
    ["--tb=short", "-l", "-rA"],
    ["--tb=native", "-rA"],
    ["--tb=line", "-rA"],
    ["--tb=no", "-rA"],
    ["--assert=plain", "-l"],
]
"""They show less than those of `HOW`, which are enough for the loop of a day."""

PLAIN = """
    import warnings

    def test_plain():
        value = ["plain-value-1"]
        print("plain-output")
        warnings.warn("plain-warning")
        assert value == ["plain-value-2"]
"""
"""A test that belongs to no drill."""

RUNTIMES = ("local",)
"""What pytest prints does not depend on where the copy runs."""


def everything(drills: Drills, result: pytest.RunResult) -> dict[str, str]:
    """Return the text of every output and report of a run, by its name."""
    found = {"stdout": result.stdout.str(), "stderr": result.stderr.str()}
    files = [
        *drills.pytester.path.glob("*.xml"),
        *drills.reports.rglob("*"),
    ]
    return found | {path.name: path.read_text() for path in files if path.is_file()}


def cases(path: Path) -> dict[str, str]:
    """Return the cases of a JUnit file, each with all its text."""
    texts: dict[str, str] = {}
    for case in ET.parse(path).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it
        texts[case.attrib["name"]] = texts.get(case.attrib["name"], "") + ET.tostring(
            case, encoding="unicode"
        )
    return texts


def no_value_is_seen(drills: Drills, *args: str) -> pytest.RunResult:
    """Run the project with all reports, check that none of them holds a row value, and return it."""
    result = drills.run("--junitxml=mine.xml", "-o", "junit_logging=all", *args)

    assert result.ret == 1
    seen = everything(drills, result)
    assert {"mine.xml", "junit.xml", "report.html", "evidence.json", "summary.md"} <= set(seen)
    assert {name: text.count(MARKER) for name, text in seen.items() if MARKER in text} == {}
    return result


@pytest.mark.parametrize(
    "how",
    [*HOW, *(pytest.param(how, marks=pytest.mark.long) for how in MORE_HOW)],
    ids=" ".join,
)
def test_no_value_of_a_row_is_seen_anywhere(drills: Drills, how: list[str]) -> None:
    """Whatever form of tracebacks the user chose."""
    drills.write(test_leaks=LEAKS)

    no_value_is_seen(drills, *how)


def test_a_test_without_a_drill_is_left_alone(drills: Drills) -> None:
    """In the same run, before and after the tests of a drill, of which no value is seen."""
    drills.write(test_a_plain=PLAIN, test_leaks=LEAKS, test_z_plain=PLAIN)

    text = no_value_is_seen(drills, "-l").stdout.str()

    assert text.count("E       AssertionError: assert ['plain-value-1'] == ['plain-value-2']") == 2
    assert text.count("plain-output") >= 2
    assert text.count("UserWarning: plain-warning") >= 1
    assert text.count("value      = ['plain-value-1']") == 2


def test_with_show_values_each_of_these_leaks_is_there(drills: Drills) -> None:
    """The twin: without it the tests above would prove nothing."""
    drills.write(test_leaks=LEAKS)

    result = drills.run(
        "--junitxml=mine.xml", "-o", "junit_logging=all", "--pgrestore-show-values", "-rA", "-l"
    )

    texts = cases(drills.pytester.path / "mine.xml")
    tests = {name for name in texts if name.startswith("test_")}
    assert len(tests) >= 30
    assert {name for name in tests if MARKER not in texts[name]} == NOT_IN_XML
    assert f"odd order {MARKER}" in result.stdout.str()
    assert result.stdout.str().count(f"ValueError: {MARKER}1\n") >= 3
    assert MARKER in everything(drills, result)["evidence.json"]


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
        pass

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
        text = " ".join(everything(drills, result).values())
        assert (MARKER in text) is shown
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

    assert MARKER not in " ".join(everything(drills, hidden).values())
    assert "select note::int from orders" in hidden.stdout.str()

    open_ = drills.run("--junitxml=mine.xml", "--pgrestore-show-values", *workers)

    assert MARKER in open_.stdout.str()


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
    text = " ".join(everything(drills, result).values())
    assert "hush-4711" not in text
    assert "quiet-0815" not in text
    assert ("***" in text) is bool(flags)
