"""The demo's cluster, shop and damage: all other real tests rest on them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_pgrestore.demo import damage, shop
from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.process_table import processes_below
from pytest_pgrestore.system.waiting import wait_until
from tests.real.worlds import DEADLINE_SECONDS

TABLES = ("customers", "orders", "order_lines", "payments")
ORDERS = 400


@pytest.fixture(scope="module")
def production() -> Iterator[Cluster]:
    """A production server with the shop in it."""
    directory = short_directory()
    with Cluster.create(directory, 18) as cluster:
        shop.build_shop(cluster, ORDERS)
        yield cluster
    shutil.rmtree(directory)


def counts(cluster: Cluster, database: str = shop.DATABASE) -> dict[str, int]:
    """Return the rows of each table of the shop."""
    return {
        table: cluster.value(f"select count(*) from {table}", database=database) for table in TABLES
    }


@pytest.mark.parametrize("major", [15, 18])
def test_a_switched_segment_is_in_the_archive_when_the_call_returns(
    place: Path, major: int
) -> None:
    """Tests take copies of the archive right after it."""
    with Cluster.create(place, major) as cluster:
        first, second = cluster.switch_wal(), cluster.switch_wal()

        assert [path.name for path in damage.segments(cluster.archive)][-2:] == [first, second]
        assert (cluster.archive / second).stat().st_size == 1024 * 1024
        assert cluster.value("show data_checksums") == "on"
        assert cluster.value("select failed_count from pg_stat_archiver") == 0


def test_nothing_of_a_cluster_runs_after_its_block(place: Path) -> None:
    """Also when the block ends with an error."""
    cluster = Cluster.create(place, 18)
    with pytest.raises(psycopg.errors.DivisionByZero), cluster:
        cluster.sql("select 1 / count(*) from pg_class where relname = 'no such'")

    assert processes_below(place) == []
    assert not cluster.data.exists()


def test_a_cluster_that_does_not_start_says_why_and_leaves_no_process(place: Path) -> None:
    """A typo in a setting must not hang."""
    with pytest.raises(HarnessError, match="unrecognized configuration parameter"):
        Cluster.create(place, 18, settings={"no_such_setting": "1"})

    assert processes_below(place) == []


KILLED = """
import os, sys
from pathlib import Path
from pytest_pgrestore.demo.cluster import Cluster
cluster = Cluster.create(Path(sys.argv[1]), 18)
os.kill(os.getpid(), {number})
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_the_server_dies_with_the_process_that_made_it(place: Path, number: signal.Signals) -> None:
    """A killed test run must not fill the machine with servers."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(number=int(number)), str(place)], check=False
    )

    assert done.returncode == -number
    wait_until(
        lambda: not processes_below(place),
        what="the lab's server",
        timeout_seconds=DEADLINE_SECONDS,
    )


def test_the_shop_is_what_its_drills_assume(production: Cluster) -> None:
    """Foreign keys, an identity, a sequence, a view and an owner of its own."""
    owners = production.sql(
        "select distinct pg_get_userbyid(relowner)::text from pg_class"
        " where relnamespace = 'public'::regnamespace",
        database=shop.DATABASE,
    )
    foreign_keys = production.value(
        "select count(*) from pg_constraint where contype = 'f'", database=shop.DATABASE
    )

    found = counts(production)
    assert owners == [(shop.ROLE,)]
    assert foreign_keys == 2
    assert (found["customers"], found["orders"], found["order_lines"]) == (
        ORDERS // 10,
        ORDERS,
        3 * ORDERS,
    )
    assert found["payments"] == ORDERS // 2
    assert production.value("select sum(cents) from revenue", database=shop.DATABASE) > 0
    assert (
        production.value("select last_value from invoice_number", database=shop.DATABASE) > 10_000
    )
    assert production.value("select max(created_at) <= now() from orders", database=shop.DATABASE)


def test_the_shop_is_the_same_on_every_run(production: Cluster, place: Path) -> None:
    """But for its times: what failed yesterday can be built again today."""
    digest = """
        select md5(string_agg(o::text, '' order by o)) from (
            select o.id, customer_id, status, discount, line, article, amount_cents
            from orders o join order_lines l on l.order_id = o.id where o.id <= %s) o
    """
    with Cluster.create(place, 15) as other:
        shop.build_shop(other, ORDERS)

        assert other.value(digest, ORDERS, database=shop.DATABASE) == production.value(
            digest, ORDERS, database=shop.DATABASE
        )


def test_trade_and_the_two_accidents_do_what_they_are_called(place: Path) -> None:
    """The demo and the scenarios stand on them."""
    with Cluster.create(place, 18) as cluster:
        shop.build_shop(cluster, ORDERS)
        before = counts(cluster)
        shop.trade(cluster, 40)
        traded = counts(cluster)
        shop.bug(cluster)
        robbed = counts(cluster)
        cluster.sql("select discount from orders", database=shop.DATABASE)
        shop.bad_deployment(cluster)

        assert (traded["orders"], traded["order_lines"]) == (
            before["orders"] + 40,
            before["order_lines"] + 120,
        )
        assert robbed == {**traded, "payments": traded["payments"] - traded["payments"] // 3}
        with pytest.raises(psycopg.errors.UndefinedColumn):
            cluster.sql("select discount from orders", database=shop.DATABASE)


def test_damage_is_done_where_it_is_said(tmp_path: Path) -> None:
    """One byte, one page, one end: and nothing else."""
    content = bytes(range(256)) * 96
    path = tmp_path / "file"

    path.write_bytes(content)
    damage.flip(path, 5)
    assert [
        at
        for at, pair in enumerate(zip(content, path.read_bytes(), strict=True))
        if pair[0] != pair[1]
    ] == [5]

    damage.flip(path, 5)
    damage.flip(path, -1)
    assert path.read_bytes()[:-1] == content[:-1]
    assert path.read_bytes()[-1] == content[-1] ^ 0xFF

    path.write_bytes(content)
    damage.zero_page(path, 1)
    assert path.read_bytes() == content[:8192] + bytes(8192) + content[16384:]

    damage.cut(path, 0.25)
    assert path.stat().st_size == len(content) // 4


def test_segments_are_told_from_history_and_labels(tmp_path: Path) -> None:
    """An archive holds more than segments."""
    names = [f"0000000100000000000000{number}" for number in ("02", "01")]
    for name in (*names, f"{names[0]}.00000028.backup", "00000002.history"):
        (tmp_path / name).touch()

    assert [path.name for path in damage.segments(tmp_path)] == sorted(names)
