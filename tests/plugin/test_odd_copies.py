"""Copies with odd settings, a closed database or a lost file, in one run of pytest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.plugin.conftest import evidence_in, run_pytest, use_sandbox

SOURCE = """
[sources.{name}]
type = "basebackup"
path = "{place}/backups/{backup}"
verify = false
database = "{database}"
freshness = "select max(at) from public.ledger"
rpo = "1d"
"""

ASSERTIONS = """
source = "{name}"
[[assert]]
name = "rows"
sql = "select count(*)::int from public.ledger"
expect = 7
[[assert]]
name = "moment"
sql = "select max(at) from public.ledger"
expect = ">= 2020-01-01"
"""

SOURCES = {
    "german": ("whole", "shop"),
    "closed": ("whole", "closed"),
    "absent": ("whole", "crm"),
    "lost": ("lost", "shop"),
}
"""Source to its backup and database."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A healthy backup of a database with German dates, and one that lacks a table's file."""
    directory = short_directory()
    with Cluster.create(directory / "c", 15) as cluster:
        for name in ("shop", "closed"):
            cluster.sql(f"create database {name}")
        cluster.sql("alter database closed allow_connections false")
        cluster.sql(
            "create table ledger as select i, now() at from generate_series(1, 7) i",
            database="shop",
        )
        path = cluster.value("select pg_relation_filepath('ledger')", database="shop")
        cluster.sql("alter database shop set DateStyle = 'German, DMY'")
        cluster.sql("alter database shop set IntervalStyle = 'sql_standard'")
        cluster.sql("alter system set recovery_target_time = '2020-01-01'")
        whole = cluster.base_backup(directory / "backups" / "whole")
    shutil.copytree(whole, whole.parent / "lost")
    (whole.parent / "lost" / path).unlink()
    yield directory
    shutil.rmtree(directory)


def test_each_copy_is_judged_by_what_it_holds(
    place: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings are no finding, a closed database is none either, and a lost file is one."""
    use_sandbox(monkeypatch, "local")
    settings = "".join(
        SOURCE.format(name=name, place=place, backup=backup, database=database)
        for name, (backup, database) in SOURCES.items()
    )
    (pytester.path / "pgrestore.toml").write_text(settings)
    for name in SOURCES:
        # Whatever its author makes of a false assertion: a lost file is no warning.
        keys = 'severity = "warn"\n' if name == "lost" else ""
        (pytester.path / f"drill_{name}.toml").write_text(keys + ASSERTIONS.format(name=name))

    result = run_pytest(pytester)

    found = {record.source: record for record in evidence_in(pytester.path).drills}
    assert {name: record.verdict().value for name, record in found.items()} == {
        "german": "passed",
        "closed": "could not verify",
        "absent": "failed",
        "lost": "failed",
    }
    assert found["german"].data_loss.freshness_seconds is not None
    assert any("recovery_target_time = '2020-01-01'" in note for note in found["german"].notes)
    causes = {name: record.failure for name, record in found.items() if record.failure}
    assert causes.keys() == {"closed", "absent"}
    assert "takes no connection (allow_connections = false)" in causes["closed"].problem
    assert 'ALTER DATABASE "closed" ALLOW_CONNECTIONS true' in causes["closed"].hint
    assert "is not in the backup; it holds closed, postgres, shop" in causes["absent"].problem
    outcomes = [(said.verdict.value, said.message) for said in found["lost"].assertions]
    assert {verdict for verdict, _ in outcomes} == {"failed"}
    assert all("SQLSTATE 58P01" in said and "in the backup" in said for _, said in outcomes)
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
