"""`pgrestore_tables`: the same assertion about many tables, each a subtest with its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)
"""SQL is the same in every sandbox."""

MANY = """
    import pytest
    from psycopg import sql

    pytestmark = pytest.mark.pgrestore("export")

    def test_not_empty(pgrestore_conn, pgrestore_tables, subtests):
        for table in pgrestore_tables("public.*", "!public.tmp_*"):
            with subtests.test(table=table):
                query = sql.SQL("select count(*) from {}").format(table.identifier)
                assert pgrestore_conn.execute(query).fetchone()[0] == WANTED
            with subtests.test(str(table)):
                query = f"select count(*) from {table.quoted}"
                assert pgrestore_conn.execute(query).fetchone()[0] == WANTED

    def test_missing(pgrestore_tables):
        assert pgrestore_tables("erp.*")

    def test_nothing_named(pgrestore_tables):
        assert pgrestore_tables("!erp.*")
"""


def test_tables_are_found_and_named(drills: Drills) -> None:
    """A table has no value: its name is shown, whoever asked the catalogue."""
    pytest.importorskip("_pytest.subtests", reason="pytest 9 has subtests")
    drills.write(test_a=MANY.replace("WANTED", "100"))

    result = drills.run()

    found = drills.outcomes("export@latest")
    assert result.ret == 1
    assert found["test_not_empty"][0] == "passed"
    assert found["test_not_empty (table=public.orders)"][0] == "passed"
    assert found["test_not_empty [public.orders]"][0] == "passed"
    verdict, message = found["test_missing"]
    assert verdict == "failed"
    assert "no table is like 'erp.*'; there are: public.orders" in message
    assert found["test_nothing_named"][0] == "could not verify"
    assert "HINT: write a pattern first" in found["test_nothing_named"][1]


def test_a_subtest_of_a_table_fails_alone(drills: Drills, workers: list[str]) -> None:
    """The red twin: the name of the table is what one needs to know."""
    pytest.importorskip("_pytest.subtests", reason="pytest 9 has subtests")
    drills.write(test_a=MANY.replace("WANTED", "99"))

    result = drills.run("-k", "not_empty", *workers)

    assert result.ret == 1
    assert drills.outcomes("export@latest")["test_not_empty (table=public.orders)"][0] == "failed"
    result.stdout.fnmatch_lines(["*(table=*public.orders*)*", "*100 == 99*"])


EACH = """
    import pytest

    @pytest.mark.parametrize(
        "source",
        [
            pytest.param("export", marks=pytest.mark.pgrestore("export")),
            pytest.param("shop", marks=pytest.mark.pgrestore("shop", target="immediate")),
        ],
    )
    def test_orders(pgrestore_conn, source):
        assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (100,)
"""


def test_one_suite_for_several_sources_in_python(drills: Drills) -> None:
    """The twin of `source = [...]` in a drill file."""
    drills.write(test_a=EACH)

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    assert drills.outcomes("export@latest") == {"test_orders[export]": ("passed", "")}
    assert drills.outcomes("shop@immediate") == {"test_orders[shop]": ("passed", "")}
