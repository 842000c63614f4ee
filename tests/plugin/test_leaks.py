"""Tests that show row values in every way there is: no report, pytest's own or ours, holds one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # nosec B405 # pytest wrote the file

import pytest

from tests.plugin.conftest import NOTE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Drills

pytestmark = pytest.mark.long  # the loop of a day has test_redaction

RUNTIMES = ("local",)
"""What pytest prints does not depend on where the copy runs."""

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


def cases(path: Path) -> dict[str, str]:
    """Return the cases of a JUnit file, each with all its text."""
    texts: dict[str, str] = {}
    for case in ET.parse(path).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it
        texts[case.attrib["name"]] = texts.get(case.attrib["name"], "") + ET.tostring(
            case, encoding="unicode"
        )
    return texts


def no_value_is_seen(drills: Drills, *args: str) -> pytest.RunResult:
    """Run with all reports, check that none of them holds a row value, and return the result."""
    result = drills.run("--junitxml=mine.xml", "-o", "junit_logging=all", *args)

    assert result.ret == 1
    seen = drills.everything(result)
    assert {"mine.xml", "junit.xml", "report.html", "evidence.json", "summary.md"} <= set(seen)
    assert {name: text.count(NOTE) for name, text in seen.items() if NOTE in text} == {}
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
    assert {name for name in tests if NOTE not in texts[name]} == NOT_IN_XML
    assert f"odd order {NOTE}" in result.stdout.str()
    assert result.stdout.str().count(f"ValueError: {NOTE}1\n") >= 3
    assert NOTE in drills.everything(result)["evidence.json"]


def test_the_reason_of_an_exit_holds_no_value(drills: Drills) -> None:
    """It ends the run, and is a problem of the run in the evidence."""
    drills.write(
        test_exit="""
            import pytest

            @pytest.mark.pgrestore("export")
            def test_exit(pgrestore_conn):
                note = pgrestore_conn.execute("select note from orders limit 1").fetchone()[0]
                pytest.exit(f"bad order {note}")
        """
    )

    result = drills.run("--fulltrace")

    assert result.ret == 2
    seen = drills.everything(result)
    assert {name for name, text in seen.items() if NOTE in text} == set()
    assert "interrupted" in seen["evidence.json"]
