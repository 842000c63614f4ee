"""The column, before and after the deployment."""

import psycopg
import pytest

DISCOUNT = "select discount from orders limit 1"


@pytest.mark.pgrestore("shop", target="latest")
def test_the_discount_is_there(pgrestore_conn: psycopg.Connection) -> None:
    """The newest backup must hold what the application reads."""
    pgrestore_conn.execute(DISCOUNT)


@pytest.mark.pgrestore("shop", target="name:before_deployment")
def test_the_discount_is_back(pgrestore_conn: psycopg.Connection) -> None:
    """The way back: the restore point that every deployment makes."""
    pgrestore_conn.execute(DISCOUNT)
