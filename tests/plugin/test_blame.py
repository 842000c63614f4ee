"""*failed* is a word about the backup: mistakes of a test and troubles here are no finding."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)
"""Blame is the same in every sandbox."""

HEAD = """
    import pytest

    pytestmark = pytest.mark.pgrestore("export")
"""

NO_FINDINGS = """
    import psycopg, sqlalchemy, pandas

    def test_syntax(pgrestore_conn):
        pgrestore_conn.execute("selec 1")

    def test_division(pgrestore_conn):
        pgrestore_conn.execute("select 1 / 0")

    def test_literal(pgrestore_conn):
        pgrestore_conn.execute("select * from orders where id = 'x'")

    def test_value_of_a_parameter(pgrestore_conn):
        pgrestore_conn.execute("select * from orders where id = %s", ["x"])

    def test_types(pgrestore_conn):
        pgrestore_conn.execute("select * from orders where created_at = %s", [5])

    def test_count_of_parameters(pgrestore_conn):
        pgrestore_conn.execute("select %s", [1, 2])

    def test_unknown_parameter(pgrestore_conn):
        pgrestore_conn.execute("select $5::int")

    def test_alias(pgrestore_conn):
        pgrestore_conn.execute("select o.id from orders")

    def test_write(pgrestore_conn):
        pgrestore_conn.execute("delete from orders")

    @pytest.mark.pgrestore(timeout="1s")
    def test_slow(pgrestore_conn):
        pgrestore_conn.execute("select pg_sleep(600)")

    def test_connection_lost(pgrestore_conn):
        pgrestore_conn.execute("select pg_terminate_backend(pg_backend_pid())")

    def test_lock(pgrestore_clone):
        with pgrestore_clone.connect(read_only=False) as one:
            with pgrestore_clone.connect(read_only=False) as other:
                one.execute("lock table orders")
                other.execute("lock table orders nowait")

    def test_raised_from(pgrestore_conn):
        try:
            pgrestore_conn.execute("selec 1")
        except psycopg.Error as exc:
            raise RuntimeError("cannot read") from exc

    def test_sqlalchemy(pgrestore_instance):
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=pgrestore_instance.connect
        )
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select 1 / 0"))

    def test_pandas(pgrestore_conn):
        pandas.read_sql_query("selec 1", pgrestore_conn)

    def test_group(pgrestore_conn):
        try:
            pgrestore_conn.execute("selec 1")
        except psycopg.Error as exc:
            raise ExceptionGroup("several", [exc, NameError("x")])

    def test_name(pgrestore_conn):
        assert pgrestore_con

    def test_import(pgrestore_conn):
        import no_such_library

    def test_fixture(pgrestore_conn, no_such_fixture):
        assert pgrestore_conn

    def test_late_fixture(pgrestore_conn, request):
        request.getfixturevalue("no_such_fixture")

    def test_file(pgrestore_conn):
        open("expected.json")
"""

FINDINGS = """
    import psycopg, sqlalchemy, pandas

    def test_table(pgrestore_conn):
        pgrestore_conn.execute("select * from invoices")

    def test_column(pgrestore_conn):
        pgrestore_conn.execute("select discount from orders")

    def test_function(pgrestore_conn):
        pgrestore_conn.execute("select total(1)")

    def test_schema(pgrestore_clone):
        with pgrestore_clone.connect(read_only=False) as connection:
            connection.execute("create table erp.t ()")

    def test_role(pgrestore_conn):
        pgrestore_conn.execute("set role erp_app")

    def test_value(pgrestore_conn):
        pgrestore_conn.execute("select note::int from orders")

    def test_many_rows(pgrestore_conn):
        pgrestore_conn.execute("select 1 where 1 = (select id from orders)")

    def test_constraint(pgrestore_clone):
        with pgrestore_clone.connect(read_only=False) as connection:
            connection.execute("insert into orders values (1, 'x')")

    def test_raised_from(pgrestore_conn):
        try:
            pgrestore_conn.execute("select * from invoices")
        except psycopg.Error as exc:
            raise RuntimeError("cannot read") from exc

    def test_after_an_error(pgrestore_conn):
        try:
            pgrestore_conn.execute("select * from invoices")
        finally:
            pgrestore_conn.execute("reset role")

    def test_sqlalchemy(pgrestore_instance):
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=pgrestore_instance.connect
        )
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select * from invoices"))

    def test_pandas(pgrestore_conn):
        pandas.read_sql_query("select * from invoices", pgrestore_conn)

    def test_group(pgrestore_conn):
        raise ExceptionGroup("several", [NameError("x"), KeyError("y")])

    def test_no_row(pgrestore_conn):
        pgrestore_conn.execute("select id from orders where id = 0").fetchone()[0]

    def test_author(pgrestore_conn):
        try:
            pgrestore_conn.execute("selec 1")
        except psycopg.Error:
            pytest.fail("the ledger cannot be read")
"""


def test_a_mistake_of_the_test_or_a_trouble_here_is_no_finding(drills: Drills) -> None:
    """Nothing was learned of the backup; each says what to do."""
    drills.write(test_a=HEAD + NO_FINDINGS)

    result = drills.run("-p", "no:warnings")

    assert result.ret == 6, result.stdout.str()
    found = drills.outcomes("export@latest")
    assert len(found) == NO_FINDINGS.count("def test_")
    wrong = {name: text for name, (verdict, text) in found.items() if verdict != "could not verify"}
    assert not wrong
    silent = [name for name, (_, text) in found.items() if "HINT: " not in text]
    assert silent == []
    assert "SQLSTATE 22012" in found["test_sqlalchemy"][1]
    assert "SQLSTATE 42601" in found["test_pandas"][1]
    assert "`timeout`" in found["test_slow"][1]
    assert result.stdout.str().count("mend the test.") > 10


def test_what_is_missing_or_wrong_in_the_copy_is_a_finding(drills: Drills) -> None:
    """The healthy twin of blame: a lost table stays red, whatever library tells it."""
    drills.write(test_a=HEAD + FINDINGS)

    result = drills.run("-p", "no:warnings")

    assert result.ret == 1, result.stdout.str()
    found = drills.outcomes("export@latest")
    assert len(found) == FINDINGS.count("def test_")
    assert not {name: text for name, (verdict, text) in found.items() if verdict != "failed"}
    assert not [name for name, (_, text) in found.items() if "HINT: this is" in text]
    assert 'relation "invoices" does not exist' in found["test_sqlalchemy"][1]
    assert 'relation "invoices" does not exist' in found["test_pandas"][1]


EMPTY = """
    import pytest

    pytestmark = pytest.mark.pgrestore("export")

    def test_pass(pgrestore_conn):
        pass

    def test_words(pgrestore_conn, tmp_path):
        "All orders are there."

    def test_dots(): ...

    @pytest.mark.parametrize("table", ["orders"])
    def test_each(pgrestore_conn, table): ...

    class TestOrders:
        def test_method(self, pgrestore_conn):
            pass

    def test_returns(pgrestore_conn):
        return pgrestore_conn.execute("select count(*) from orders").fetchone() == (0,)

    def test_returns_rows(pgrestore_conn):
        return pgrestore_conn.execute("select note from orders").fetchall()
"""

REAL = """
    import unittest
    import pytest

    pytestmark = pytest.mark.pgrestore("export")

    def count(connection):
        assert connection.execute("select count(*) from orders").fetchone() == (100,)

    @pytest.fixture
    def counted(pgrestore_conn):
        count(pgrestore_conn)

    def test_fixture_asserts(counted): ...

    @pytest.mark.usefixtures("counted")
    def test_used_fixture_asserts():
        pass

    def test_helper(pgrestore_conn):
        count(pgrestore_conn)

    def test_helper_returned(pgrestore_conn):
        return count(pgrestore_conn)

    def test_asserts_and_returns(pgrestore_conn):
        count(pgrestore_conn)
        assert pgrestore_conn
        return 5

    class TestSetup:
        @pytest.fixture(autouse=True)
        def _connect(self, pgrestore_conn):
            self.connection = pgrestore_conn

        def test_method(self):
            count(self.connection)

    class TestXunit:
        def setup_method(self):
            assert self

        def test_empty(self, pgrestore_conn): ...

    class Unit(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _connect(self, pgrestore_conn):
            self.connection = pgrestore_conn

        def test_unit(self):
            count(self.connection)

    def test_query_alone(pgrestore_conn):
        pgrestore_conn.execute("select id, note from orders limit 0")
"""


def test_a_test_that_cannot_fail_proves_nothing(drills: Drills) -> None:
    """It was an assertion that passed."""
    drills.write(test_a=EMPTY)

    result = drills.run()

    assert result.ret == 6, result.stdout.str()
    found = drills.outcomes("export@latest")
    assert {verdict for verdict, _ in found.values()} == {"could not verify"}
    assert len(found) == EMPTY.count("def test_")
    assert found["test_pass"][1].startswith("the test has no body: it asserts nothing\nHINT: ")
    assert "returns a value (bool)" in found["test_returns"][1]
    assert "write `assert` in place of `return`" in found["test_returns_rows"][1]
    result.stdout.fnmatch_lines(["*the test has no body: it asserts nothing*"])
    assert "empty_tests.py" not in result.stdout.str()


def test_a_test_that_looks_empty_and_is_not_passes(drills: Drills) -> None:
    """Its fixture asserts, or a function that it calls."""
    drills.write(test_a=REAL)

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    assert {verdict for verdict, _ in drills.outcomes("export@latest").values()} == {"passed"}


def test_a_marker_alone_is_no_assertion(drills: Drills) -> None:
    """A test of plain Python in a module with the marker: it counts as left out."""
    drills.write(
        test_a=HEAD
        + """
    def test_python():
        assert 1 + 1 == 2
"""
    )

    result = drills.run()

    assert result.ret == 6, result.stdout.str()
    assert drills.evidence().problems == ("drill export@latest has no assertion that ran",)
    assert drills.outcomes("export@latest")["test_python"] == (
        "skipped",
        "it asked nothing of the restored copy: no fixture gave it to the test",
    )

    drills.write(
        test_b=dedent(HEAD)
        + dedent(
            """
            def test_orders(pgrestore_conn):
                assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (100,)
            """
        )
    )

    assert drills.run().ret == 0
