"""One drill of each type of source, from its settings to its evidence, on this machine alone.

The worlds of tests/real hold many backups, taken in containers; these hold one, taken by the tools
of this machine, so that the loop of a day needs neither a container nor minutes.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.sources.registry import TYPES
from tests.plugin.conftest import ORDERS, removed
from tests.real.local_tools import (
    Barman,
    Commands,
    LocalTool,
    Pgbackrest,
    Walg,
    archiving,
    back_up_between,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)
TOOLS: dict[str, LocalTool] = {
    "pgbackrest": Pgbackrest(),
    "barman": Barman(),
    "walg": Walg(),
    "command": Commands(),
}
OF_THE_WORLD = {"basebackup": ("shop", 0), "dump": ("export", ORDERS)}
"""Types whose backups the plugin tests have already, with their source and the rows at its end."""

ROWS = 130
TEST = """
    import pytest

    @pytest.mark.pgrestore("{source}")
    def test_orders(pgrestore_conn):
        query = "select count(*), max(id) from orders"
        assert pgrestore_conn.execute(query).fetchone() == {expected}
"""


@pytest.fixture
def drilled(drills: Drills, kind: str) -> Iterator[tuple[str, int]]:
    """Write the settings of a source of this type; return its name and the rows it must bring."""
    if kind in OF_THE_WORLD:
        yield OF_THE_WORLD[kind]
        return
    tool = TOOLS[kind]
    require(tool)
    directory = short_directory()
    try:
        with archiving(tool, directory) as place:
            sql = place.cluster.sql
            sql("create table orders (id int primary key)")
            back_up_between(
                tool,
                place,
                lambda: sql("insert into orders select generate_series(1, 100)"),
                lambda: sql(f"insert into orders select generate_series(101, {ROWS})"),
            )
        table = tool.source.replace("{directory}", str(directory))
        drills.settings(f'[sources.own]\n{table}database = "postgres"\n')
        yield "own", ROWS
    finally:
        shutil.rmtree(directory)


@pytest.mark.parametrize("kind", TYPES)
def test_a_drill_of_each_type_of_source(drills: Drills, drilled: tuple[str, int]) -> None:
    """Its rows are there, up to the last one that was archived. The same again is not due."""
    source, rows = drilled
    expected = (rows, rows or None)
    drills.write(test_orders=TEST.format(source=source, expected=expected))

    result = drills.run("--pgrestore-history=past")
    record = drills.record(f"{source}@latest")
    again = drills.run("--pgrestore-history=past", "--pgrestore-due")
    (left_out,) = drills.evidence().left_out or [None]

    assert result.ret == 0, result.stdout.str()
    assert record.failure is None
    assert record.server is not None
    assert record.server.sandbox.startswith("local")
    assert removed(record)
    assert again.ret == 0, again.stdout.str()
    assert left_out is not None, again.stdout.str()
    assert left_out.why.startswith("unchanged since its last green drill")
    assert left_out.backup == (record.backup and record.backup.label)
