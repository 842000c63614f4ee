"""Backups without a manifest whose files are lost: pg_class names what must be there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.local_drill import Drilling, local_drill, local_run
from tests.real.worlds import copied

__all__ = ["local_drill", "local_run"]

STATEMENTS = (
    "create table plain as select g, repeat('x', 100) t from generate_series(1, 2000) g",
    "create index on plain (g)",
    "create table toasted (t text)",
    "create unlogged table unlogged (i serial primary key)",
    "insert into unlogged select generate_series(1, 9)",
    "create table parts (i int) partition by range (i)",
    "create index on parts (i)",
    "create table part partition of parts for values from (0) to (10)",
    "create materialized view seen as select count(*) from plain",
    "create view looked as select * from plain",
    "create table spaced tablespace extra as select generate_series(1, 9) i",
    "create table rewritten as select generate_series(1, 9) i",
    "vacuum full rewritten",
    "vacuum full pg_class",
    "analyze",
)


@dataclass(frozen=True)
class Lab:
    """A backup without a manifest, and the paths of its relations.

    Attributes:
        directory: Holds ``one`` and the archive.
        paths: Path below the data directory, by the name of a relation.
    """

    directory: Path
    paths: dict[str, str] = field(default_factory=dict)

    def source(self, backup: Path) -> BasebackupSource:
        """Return the source of a backup, whose tablespace is beside it."""
        (link,) = (backup / "pg_tblspc").iterdir()
        archive = str(self.directory / "archive")
        spaces = [link.resolve()]
        return BasebackupSource("shop", str(backup), wal=archive, verify=False, linked_paths=spaces)

    def damaged(self, place: Path) -> Path:
        """Return a copy of the backup to damage."""
        return copied(self.directory / "one", place / "one")


@pytest.fixture(scope="module", params=[15, 18])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A server with relations of all kinds, one of them in a temporary schema at the backup."""
    place = short_directory()
    with Cluster.create(place, request.param) as cluster:
        made = Lab(place)
        (place / "space").mkdir()
        cluster.programs.account.own(place / "space")
        cluster.sql(f"create tablespace extra location '{place / 'space'}'")
        for statement in STATEMENTS:
            cluster.sql(statement)
        for name in ("other", "closed", "dropped"):
            cluster.sql(f"create database {name}")
        cluster.sql("alter database closed allow_connections false")
        with cluster.connect() as session:
            session.execute("create temporary table passing (i int)")
            where = f"--tablespace-mapping={place / 'space'}={place / 'mapped'}"
            cluster.base_backup(place / "one", "--no-manifest", where)
        cluster.sql("create table later as select generate_series(1, 9) i")
        cluster.sql("update pg_database set datconnlimit = -2 where datname = 'dropped'")
        cluster.switch_wal()
        for name in ("plain", "plain_g_idx", "unlogged", "spaced", "rewritten", "pg_class"):
            made.paths[name] = cluster.value("select pg_relation_filepath(%s::regclass)", name)
        toast = "select pg_relation_filepath(reltoastrelid) from pg_class where relname = 'toasted'"
        made.paths["toast"] = cluster.value(toast)
        for name in ("other", "dropped"):
            oid = cluster.value("select oid from pg_database where datname = %s", name)
            made.paths[name] = f"base/{oid}"
    shutil.rmtree(place / "one" / made.paths["dropped"])
    yield made
    shutil.rmtree(place, ignore_errors=True)


def test_a_healthy_backup_passes(lab: Lab, local_drill: Drilling) -> None:
    """Nothing is missed of temporary, unlogged, mapped and partitioned relations, or later ones."""
    drilled = local_drill(lab.source(lab.directory / "one"), database="postgres")

    assert drilled.verdict_of("relation files") == "passed", drilled.message_of("relation files")
    assert drilled.ask("select count(*) from later") == 9
    told = " ".join(drilled.result.record.not_checked)
    assert "database closed" in told
    assert drilled.result.record.verdict() == "passed"


def cut_in_half(path: Path) -> None:
    """Keep the first pages of a table."""
    path.write_bytes(path.read_bytes()[: 8192 * 3])


def lose_version(database: Path) -> None:
    """Remove the file by which a server knows the directory of a database."""
    (database / "PG_VERSION").unlink()


def unknown_version(database: Path) -> None:
    """Refuse each login by a message that is not known to be about a lost file."""
    (database / "PG_VERSION").write_text("14\n")


LOST: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("plain", Path.unlink, "failed", "public.plain of database postgres"),
    ("plain_g_idx", Path.unlink, "failed", "public.plain_g_idx"),
    ("toast", Path.unlink, "failed", "pg_toast.pg_toast_"),
    ("spaced", Path.unlink, "failed", "public.spaced"),
    ("rewritten", Path.unlink, "failed", "public.rewritten"),
    ("plain", cut_in_half, "could not verify", "public.plain of database postgres has 3 pages of"),
    ("other", shutil.rmtree, "failed", "database other has no directory"),
    ("other", lose_version, "failed", "database other cannot be opened"),
    ("other", unknown_version, "could not verify", "database other cannot be opened"),
]


@pytest.mark.parametrize("lab", [15], indirect=True)
@pytest.mark.parametrize(
    ("name", "harm", "verdict", "words"),
    LOST,
    ids=[f"{name}-{harm.__name__}" for name, harm, _, _ in LOST],
)
def test_a_lost_file_is_named(
    lab: Lab,
    local_drill: Drilling,
    tmp_path: Path,
    name: str,
    harm: Callable[[Path], object],
    verdict: str,
    words: str,
) -> None:
    """No query of a test has to read it."""
    backup = lab.damaged(tmp_path)
    if name == "spaced":
        (link,) = (backup / "pg_tblspc").iterdir()
        real = copied(link.resolve(), tmp_path / "mapped")
        link.unlink()
        link.symlink_to(real)
    harm(backup / lab.paths[name])

    drilled = local_drill(lab.source(backup), database="postgres")

    assert drilled.verdict_of("relation files") == verdict
    assert words in drilled.message_of("relation files")
    assert drilled.result.record.verdict() == verdict


@pytest.mark.parametrize("lab", [15], indirect=True)
def test_a_lost_catalogue_is_the_backups_fault(
    lab: Lab, local_drill: Drilling, tmp_path: Path
) -> None:
    """The server ends with PANIC at the first login, and its word is told."""
    backup = lab.damaged(tmp_path)
    (backup / lab.paths["pg_class"]).unlink()

    drilled = local_drill(lab.source(backup), database="postgres")

    assert drilled.result.record.verdict() == "failed"
    assert "could not open critical system index" in drilled.cause
