"""Production closed the databases that initdb makes: the way in is the one that is named."""

from __future__ import annotations

from pathlib import Path

from pytest_pgrestore.demo.cluster import Cluster
from pytest_pgrestore.model.target import Immediate
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.local_drill import Drilling, local_drill, local_run

__all__ = ["local_drill", "local_run"]


def test_the_named_database_is_the_way_in(local_drill: Drilling, place: Path) -> None:
    """Without a name nothing can be asked, and the next step says so."""
    with Cluster.create(place / "c", 15) as cluster:
        cluster.sql("create database shop")
        cluster.sql("create table ledger as select 1 i", database="shop")
        for name in ("postgres", "template1"):
            cluster.sql(f"alter database {name} allow_connections false", database="shop")
        backup = cluster.base_backup(place / "c" / "backups" / "one")
    source = BasebackupSource("shop", str(backup))

    named = local_drill(source, database="shop")
    unnamed = local_drill(source, Immediate())

    assert named.rows() == 1
    assert named.result.record.verdict() == "passed"
    assert unnamed.result.record.verdict() == "could not verify"
    assert "allow_connections = false" in unnamed.cause
    assert "set `database` in the source" in unnamed.cause
