"""The live server's archiver, asked by a drill: real failures, a reset, and no server."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.demo.server import DEADLINE_SECONDS, PORT, SUPERUSER
from pytest_pgrestore.history.archiver import judge
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore.archiver import archiver_figures
from pytest_pgrestore.restore.databases import read_databases, restored_bytes, with_contents
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.past import ArchiverFigures

EARLIER = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server that archives."""
    directory = short_directory()
    with Cluster.create(directory / "c") as made:
        yield made
    shutil.rmtree(directory)


def figures(cluster: Cluster) -> ArchiverFigures:
    """What the archiver says of itself."""
    conninfo = f"host={cluster.directory} port={PORT} user={SUPERUSER} dbname=postgres"
    return archiver_figures(Secret(conninfo), DEADLINE_SECONDS)


def judged(now: ArchiverFigures, then: ArchiverFigures) -> Check:
    """The check of both."""
    found = judge(now, (EARLIER, then))
    assert found is not None
    return found


def test_failures_since_the_last_drill_are_a_warning(cluster: Cluster) -> None:
    """The file is there already, so the command refuses it; then it works again."""
    before = figures(cluster)
    cluster.sql("create table filled as select generate_series(1, 100)")
    ((segment,),) = cluster.sql("select pg_walfile_name(pg_current_wal_lsn())")
    in_the_way = cluster.archive / segment
    in_the_way.touch()
    cluster.sql("select pg_switch_wal()")

    def has_failed() -> bool:
        return (figures(cluster).failed_count or 0) > (before.failed_count or 0)

    wait_until(has_failed, what="the archiver", timeout_seconds=DEADLINE_SECONDS)
    broken = figures(cluster)
    in_the_way.unlink()
    cluster.switch_wal()
    mended = figures(cluster)

    assert judged(before, before).verdict is Verdict.PASSED
    assert judged(broken, before).verdict is Verdict.WARNING
    assert "nothing was archived after the last one at" in judged(broken, before).message
    assert "archiving works again" in judged(mended, before).message

    cluster.sql("select pg_stat_reset_shared('archiver')")
    wait_until(
        lambda: figures(cluster).failed_count == 0,
        what="the reset",
        timeout_seconds=DEADLINE_SECONDS,
    )
    told = judged(figures(cluster), mended)
    assert told.verdict is Verdict.PASSED
    assert "its counter was reset at" in told.message


def test_a_server_that_cannot_be_asked(cluster: Cluster) -> None:
    """Nothing is known then, and the password is in no message."""
    conninfo = f"host={cluster.directory} port=1 dbname=postgres password=tiger-9f3"

    found = archiver_figures(Secret(conninfo), 5.0)
    check = judged(found, figures(cluster))

    assert check.verdict is Verdict.COULD_NOT_VERIFY
    assert "OperationalError" in check.message
    assert "tiger" not in str(found)


class _Access:
    """Connects as a drill does."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @contextmanager
    def ask(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """Open a connection."""
        with self._cluster.connect(database) as connection:
            yield connection


def test_a_database_that_holds_nothing_needs_no_assertion(cluster: Cluster) -> None:
    """Every cluster has a database `postgres`; in some it has tables."""
    access: Any = _Access(cluster)
    cluster.sql("drop table if exists filled")
    with access.ask() as connection:
        alone = with_contents(read_databases(connection), access)
    cluster.sql("create database shop")
    cluster.sql("create database audit")
    with access.ask() as connection:
        databases = read_databases(connection)
    empty = with_contents(databases, access)
    before = restored_bytes(access)
    cluster.sql("create table filled as select generate_series(1, 100000)")
    filled = with_contents(databases, access)

    assert alone == ("postgres",)
    assert empty == ("audit", "shop")
    assert filled == ("audit", "postgres", "shop")
    assert (restored_bytes(access) or 0) > (before or 0) > 0
    assert with_contents([replace(databases[0], template=True)], access) == ()
