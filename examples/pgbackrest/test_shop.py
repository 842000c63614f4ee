"""What must be true of the restored shop."""

import psycopg
import pytest

from pytest_pgrestore import RestoredInstance

pytestmark = pytest.mark.pgrestore("shop", target="latest")


def test_the_orders_table_is_there(pgrestore_conn: psycopg.Connection) -> None:
    """The smallest assertion. Yours will count, compare, and look for orphans."""
    assert pgrestore_conn.execute("select to_regclass('orders')").fetchone() == ("orders",)


def test_the_backup_is_one_of_pgbackrest(pgrestore_instance: RestoredInstance) -> None:
    """Tests can read the facts of the evidence: label, chain, sizes, versions."""
    assert pgrestore_instance.backup.label[8] == "-"
