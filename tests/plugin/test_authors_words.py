"""What the author of a test wrote is shown, and no value, wherever either of them stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import NOTE

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

pytestmark = pytest.mark.long

RUNTIMES = ("local",)
"""What pytest prints does not depend on where the copy runs."""

HEAD = """
    import pandas, polars, pytest, sqlalchemy

    pytestmark = pytest.mark.pgrestore("export")

    @pytest.fixture
    def rows(pgrestore_conn):
        return pgrestore_conn.execute("select id, note from orders order by id limit 3").fetchall()

    @pytest.fixture
    def note(rows):
        return rows[0][1]
"""

WORDS = """
    def test_assert(rows):
        assert not rows, "the ledger is out of balance"

    def test_number(rows):
        n = len(rows)
        assert n == 0, f"{n:,} orders are orphans"

    def test_length(rows):
        assert rows == [], f"{len(rows)} orders are orphans"

    def test_fail(rows):
        pytest.fail(f"{len(rows)} orders are orphans")

    def test_raise(rows):
        n = len(rows)
        raise ValueError(f"{n} orders are orphans")

    def test_beside_a_value(note):
        raise ValueError(f"{note} is an orphan")

    def test_table(pgrestore_tables):
        (table,) = pgrestore_tables("orders")
        pytest.fail(f"{table} is not partitioned")

    def test_no_row(pgrestore_conn):
        pgrestore_conn.execute("select id from orders where id = 0").fetchone()[0]

    def test_name(rows):
        assert rowz

    def test_import(rows):
        import no_such_library

    def test_attribute(rows):
        rows.lenght

    def test_constraint(pgrestore_clone):
        with pgrestore_clone.connect(read_only=False) as connection:
            connection.execute("insert into orders select * from orders")

    def test_skip(rows):
        pytest.skip(f"{len(rows)} orders are too few")

    def test_comparison(rows):
        assert len(rows) == 4
"""

SHOWN = {
    "test_assert": "AssertionError: the ledger is out of balance",
    "test_number": "AssertionError: 3 orders are orphans",
    "test_length": "AssertionError: 3 orders are orphans",
    "test_fail": "Failed: 3 orders are orphans",
    "test_raise": "ValueError: 3 orders are orphans",
    "test_beside_a_value": "> is an orphan",
    "test_table": "Failed: public.orders is not partitioned",
    "test_no_row": "TypeError: 'NoneType' object is not subscriptable",
    "test_name": "NameError: name 'rowz' is not defined",
    "test_import": "ModuleNotFoundError: No module named 'no_such_library'",
    "test_attribute": "AttributeError: 'list' object has no attribute 'lenght'",
    "test_constraint": '"orders_pkey"',
    "test_skip": "3 orders are too few",
    "test_comparison": "assert 3 == 4",
}


def test_the_words_of_the_author_are_shown(drills: Drills) -> None:
    """On the terminal and in the evidence: would you know at 3 am?"""
    drills.write(test_a=HEAD + WORDS)

    result = drills.run("-rs")

    found = drills.outcomes("export@latest")
    assert set(found) == set(SHOWN)
    missing = {name: found[name][1] for name, words in SHOWN.items() if words not in found[name][1]}
    assert not missing
    printed = result.stdout.str()
    assert not [words for words in SHOWN.values() if words not in printed]
    assert not [name for name, text in drills.everything(result).items() if NOTE in text]


VALUES = """
    import warnings

    def test_sqlalchemy(pgrestore_instance, note):
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=pgrestore_instance.connect
        )
        with engine.connect() as connection:
            query = sqlalchemy.text("select * from invoices where note = :note")
            connection.execute(query, {"note": note})

    def test_pandas_repr(rows):
        frame = pandas.DataFrame(rows)
        assert frame.empty, frame

    def test_pandas_compared(rows):
        one = pandas.DataFrame(rows)
        pandas.testing.assert_frame_equal(one, one.replace(rows[0][1], "x"))

    def test_pandas_raised(rows):
        raise ValueError(pandas.DataFrame(rows))

    def test_polars_repr(rows):
        frame = polars.DataFrame(rows, orient="row")
        assert frame.is_empty(), frame

    def test_polars_column(rows):
        polars.DataFrame(rows, orient="row").select(rows[0][1])

    def test_f_string(note):
        n = note
        pytest.fail(f"{n} is an orphan")

    def test_digits(note):
        digits = "0815" + note
        raise ValueError(f"{digits}{len(note)}")

    def test_shown_expression(note):
        assert not note, f"{note=}"

    def test_name_raised(note):
        raise NameError(f"name '{note}' is not defined", name=note)

    def test_none_type(note):
        raise TypeError(f"'{note}' object is not subscriptable")

    def test_error_of_a_file(note):
        open(note)

    def test_own_class(note):
        class Number(int):
            def __format__(self, spec):
                return note

        n = Number(5)
        pytest.fail(f"{n} orders")

    def test_dynamic_xfail(note, request):
        request.applymarker(pytest.mark.xfail(reason=note))
        assert False

    def test_notes_of_a_group(note):
        error = ExceptionGroup("several", [ValueError(note)])
        error.add_note(note)
        raise error

    def test_parameters_of_subtests(note, rows, subtests):
        with subtests.test(note, row=rows[0], n=rows[0][0]):
            assert False, note

    def test_chained(note):
        try:
            {}[note]
        except KeyError as exc:
            raise RuntimeError(f"no {note}") from exc
"""


def test_no_value_is_shown_beside_the_words(drills: Drills) -> None:
    """Libraries put rows into messages and reprs; with values shown, each is there."""
    drills.write(test_a=HEAD + VALUES)

    hidden = drills.run("-l", "-rA", "--junitxml=mine.xml", "-o", "junit_logging=all")

    assert hidden.ret == 1
    seen = drills.everything(hidden)
    assert not {name: text for name, text in seen.items() if NOTE in text}
    assert (
        "UndefinedTable (SQLSTATE 42P01)" in drills.outcomes("export@latest")["test_sqlalchemy"][1]
    )

    revealed = drills.run("-rA", "--pgrestore-show-values", "-k", "not dynamic")

    shown = drills.outcomes("export@latest")
    silent = {name for name, (verdict, text) in shown.items() if NOTE not in text}
    assert silent <= {"test_parameters_of_subtests"}
    assert NOTE in revealed.stdout.str()
