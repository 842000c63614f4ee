"""Differences between the drill's system and the backup's are named, and fail nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.worlds import MAJORS, Drilled

Drilling = Callable[..., Drilled]

FOREIGN = [
    "create collation sorted (locale = 'C.UTF-8')",
    "create collation unused (locale = 'C.UTF-8')",
    "create table names (name text collate sorted primary key)",
    "update pg_collation set collversion = '1.0' where collname in ('sorted', 'unused')",
    "update pg_extension set extversion = '0.9' where extname = 'plpgsql'",
    (
        "insert into pg_extension"
        " (oid, extname, extowner, extnamespace, extrelocatable, extversion)"
        " values (99999, 'far_away', 10, 11, false, '3.1')"
    ),
    "update pg_database set datcollversion = '2.11' where datname = 'shop'",
]
"""Changes of the catalogues that make a copy look like one from another system."""


def backup_of(place: Path, major: int, *, foreign: bool) -> BasebackupSource:
    """Return a backup of a database `shop`, as if made here or on another system."""
    with Cluster.create(place / "c", major, settings={"allow_system_table_mods": "on"}) as cluster:
        cluster.sql("create database shop")
        cluster.sql("create table ledger as select generate_series(1, 100) i", database="shop")
        for statement in FOREIGN if foreign else ["create table names (name text primary key)"]:
            cluster.sql(statement, database="shop")
        path = cluster.base_backup(place / "b" / "one")
    if foreign:
        (path / "postgresql.conf").write_text(
            "#shared_preload_libraries = 'off'\nshared_preload_libraries = 'old'\n"
        )
        (path / "postgresql.auto.conf").write_text(
            "shared_preload_libraries = 'pg_cron, timescaledb'\n"
        )
    return BasebackupSource("shop", str(path), verify=False)


@pytest.mark.parametrize("major", MAJORS)
def test_a_copy_from_another_system_is_told_where_it_does_not_fit(
    drill: Drilling, place: Path, major: int
) -> None:
    """Each database has its sentence. The drill stays green: it is not the backup's fault."""
    drilled = drill(backup_of(place, major, foreign=True), database="shop")

    assert drilled.ask("select count(*) from ledger") == 100
    record = drilled.result.record
    assert record.failure is None
    told = "\n".join(record.not_checked)
    assert "database shop is of collation version 2.11" in told
    assert "Whether 1 indexes of database shop sort here" in told
    assert "collation sorted is of version 1.0" in told
    assert "unused" not in told
    assert (
        "What uses extension far_away 3.1 of database shop: its files are not on this server."
        in record.not_checked
    )
    assert (
        "extension plpgsql 0.9 of database shop is of a version this server does not offer"
        in record.notes
    )
    assert (
        "not loaded here, by quarantine: pg_cron, timescaledb"
        " (shared_preload_libraries of the copy)" in record.notes
    )


@pytest.mark.parametrize("major", MAJORS)
def test_a_copy_from_here_fits(drill: Drilling, place: Path, major: int) -> None:
    """The same queries find no difference."""
    record = drill(backup_of(place, major, foreign=False), database="shop").result.record

    told = " ".join(record.not_checked + record.notes)
    assert record.failure is None
    assert not [word for word in ("collation", "extension", "quarantine", "opened") if word in told]


def test_a_database_that_cannot_be_opened_here_is_named(drill: Drilling, place: Path) -> None:
    """A locale this system does not know keeps a whole database shut, while the server is up."""
    with Cluster.create(place / "c", 18, settings={"allow_system_table_mods": "on"}) as cluster:
        cluster.sql("create database shop")
        cluster.sql("create database branch")
        cluster.sql(
            "update pg_database set datcollate = 'xx_XX.utf8', datctype = 'xx_XX.utf8',"
            " datlocprovider = 'c' where datname = 'branch'"
        )
        path = cluster.base_backup(place / "b" / "one")

    record = drill(BasebackupSource("shop", str(path)), database="shop").result.record

    (told,) = [sentence for sentence in record.not_checked if "branch" in sentence]
    assert told.startswith("Database branch: it cannot be opened (")
    assert "incompatible with operating system" in told
