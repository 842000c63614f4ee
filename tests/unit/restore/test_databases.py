"""The database that assertions run in, and what is said of one that nobody can connect to."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.restore.databases import (
    Database,
    choose_database,
    closed_databases,
)

TEMPLATE = Database("template1", template=True, allowed=True, limit=-1)
POSTGRES = Database("postgres", template=False, allowed=True, limit=-1)
SHOP = Database("shop", template=False, allowed=True, limit=0)
CLOSED = Database("crm", template=False, allowed=False, limit=-1)
INVALID = Database("gone", template=False, allowed=True, limit=-2)
BLUEPRINT = Database("blueprint", template=True, allowed=True, limit=-1)


@pytest.mark.parametrize(
    ("databases", "wanted", "chosen"),
    [
        ([POSTGRES, SHOP, TEMPLATE], None, "shop"),
        ([POSTGRES, CLOSED, INVALID, TEMPLATE], None, "postgres"),
        ([POSTGRES, SHOP, CLOSED, TEMPLATE], None, "shop"),
        ([TEMPLATE], None, "template1"),
        ([SHOP, TEMPLATE], None, "shop"),
        ([BLUEPRINT, POSTGRES, TEMPLATE], "blueprint", "blueprint"),
        # A superuser passes the limit of connections.
        ([POSTGRES, SHOP, TEMPLATE], "shop", "shop"),
    ],
)
def test_the_database_of_the_assertions(
    databases: list[Database], wanted: str | None, chosen: str
) -> None:
    """The one that is set, the only one of users that can be opened, or postgres."""
    assert choose_database(databases, wanted) == chosen


@pytest.mark.parametrize(
    ("database", "why", "mend"),
    [
        (CLOSED, "allow_connections = false", 'ALTER DATABASE "crm" ALLOW_CONNECTIONS true'),
        (INVALID, "an interrupted DROP DATABASE", "drop it in production"),
    ],
)
def test_a_closed_database_is_no_finding_about_the_backup(
    database: Database, why: str, mend: str
) -> None:
    """It came back as production has it."""
    with pytest.raises(HarnessError) as caught:
        choose_database([POSTGRES, SHOP, database, TEMPLATE], database.name)

    assert why in caught.value.problem
    assert mend in caught.value.hint
    assert "`database` to postgres or shop" in caught.value.hint
    assert closed_databases([POSTGRES, database]) != []


def test_a_database_that_is_not_there_is_one() -> None:
    """All that are there are named, closed or not."""
    with pytest.raises(BackupNotRestorable, match="it holds crm, postgres"):
        choose_database([CLOSED, POSTGRES, TEMPLATE], "shop")
