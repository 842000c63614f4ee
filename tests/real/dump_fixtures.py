"""A small production world, dumped in every form, and drills of its dumps.

It is built once for each major and process.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.evidence import DrillRecord
from pytest_pgrestore.restore.drill import DrillSettings, finish_drill, run_drill
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.dump.source import DumpSource
from tests.real.runtimes import opened_run

ORDERS = 500
DEADLINE = 120.0
FORMS = ("plain", "custom", "directory", "tar")

SCHEMA = """
create schema "we ird";
create table "we ird"."t able" (id int primary key, v text);
create type mood as enum ('a', 'b');
create table orders (
  id int generated always as identity primary key, v text not null, m mood default 'a'
);
insert into orders (v) select 'row ' || g from generate_series(1, 500) g;
create index orders_v on orders (v);
create table lines (id serial primary key, order_id int references orders);
insert into lines (order_id) select g from generate_series(1, 200) g;
create view open_orders as select * from orders;
create materialized view counted as select count(*) from orders;
create function twice(int) returns int language sql as 'select 2 * $1';
create table parted (id int) partition by range (id);
create table parted_one partition of parted for values from (0) to (100);
insert into parted select generate_series(1, 40);
create trigger same before update on lines
  for each row execute function suppress_redundant_updates_trigger();
alter table orders owner to "Odd Role";
grant select on orders to reader;
"""

ROWS = (
    "select (select count(*) from orders), (select count(*) from lines),"
    " (select count(*) from counted),"
    " (select count(*) from parted), nextval('orders_id_seq')"
)
COMPLETE = (ORDERS, 200, 1, 40, ORDERS + 1)


@dataclass(frozen=True)
class Outcome:
    """What a drill left: its record, what the query answered, and every word that was kept."""

    record: DrillRecord
    rows: tuple[Any, ...] | None
    kept: str

    @property
    def verdict(self) -> str:
        """Verdict of the drill."""
        return str(self.record.verdict())

    @property
    def problem(self) -> str:
        """First cause; empty when it came up."""
        return self.record.failure.problem if self.record.failure else ""

    @property
    def contents(self) -> str:
        """Message of the check `contents`."""
        return next(check.message for check in self.record.checks if check.name == "contents")


@dataclass(frozen=True)
class World:
    """Dumps of one major, and a run to restore them in."""

    major: int
    dumps: Path
    run: Run
    logs: Path

    def drill(self, *paths: Path | str, query: str = ROWS, **settings: Any) -> Outcome:
        """Restore a dump, run `query` on the restored server, and remove everything.

        `paths` are relative to the dumps, in the order of loading.
        """
        source = DumpSource("shop", [str(self.dumps / path) for path in paths], **settings)
        drill = Drill("shop")
        result = run_drill(
            drill, source, DrillSettings(), self.run, log_directory=self.logs, progress=print
        )
        rows = None
        try:
            if result.access is not None:
                with result.access.open() as connection:
                    rows = connection.execute(query.encode()).fetchone()
        except psycopg.Error as exc:
            rows = (exc.sqlstate,)
        finally:
            finish = finish_drill(self.run, drill.key, result.access, self.logs)
        assert finish.teardown.removed
        kept = str(result.record) + "".join(path.read_text() for path in self.logs.rglob("*.log"))
        shutil.rmtree(self.logs, ignore_errors=True)
        return Outcome(result.record, rows, kept)

    @property
    def roles(self) -> str:
        """Path of the globals."""
        return str(self.dumps / "globals.out")


def build(cluster: Cluster, dumps: Path) -> None:
    """Make the database `shop` and dump it in every form."""
    for role in ('"Odd Role"', "reader", "team"):
        cluster.sql(f"create role {role}")
    cluster.sql("grant team to reader")
    place = cluster.directory / "space"
    place.mkdir(mode=0o700)
    cluster.programs.account.own(place)
    cluster.sql(f"create tablespace fast location '{place}'")
    cluster.sql("create database shop")
    cluster.sql(SCHEMA, database="shop")
    cluster.sql("create table here (id int) tablespace fast")
    for form in FORMS:
        cluster.dump(dumps / f"shop.{form}", "shop", form=form)
    cluster.dump(dumps / "create.plain", "shop", "--create", form="plain")
    cluster.dump(dumps / "clean.plain", "shop", "--clean", form="plain")
    cluster.dump(dumps / "inserts.plain", "shop", "--inserts", form="plain")
    cluster.dump(dumps / "verbose.plain", "shop", "--verbose", form="plain")
    cluster.dump(dumps / "schema.plain", "shop", "--schema-only", form="plain")
    cluster.dump(dumps / "data.plain", "shop", "--data-only", form="plain")
    cluster.dump(dumps / "postgres.custom", "postgres")
    cluster.dump_all(dumps / "globals.out", "--globals-only")
    cluster.dump_all(dumps / "all.out")
    cluster.dump_all(dumps / "clean.out", "--clean")
    compress(dumps / "shop.plain")


def compress(path: Path) -> None:
    """Write `path` once more with each compression, under names that do not tell."""
    import bz2

    import lz4.frame
    import zstandard

    data = path.read_bytes()
    for name, packed in (
        ("gzip", gzip.compress(data)),
        ("bzip2", bz2.compress(data)),
        ("lz4", lz4.frame.compress(data)),
        ("zstd", zstandard.ZstdCompressor().compress(data)),
    ):
        (path.parent / f"packed.{name}").write_bytes(packed)


PLACES = [(15, "local"), (18, "local"), (18, "docker")]
"""Major and sandbox. What a dump does to a server does not depend on both at once."""


@pytest.fixture(scope="session", params=PLACES, ids=lambda place: f"{place[1]}-{place[0]}")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Dumps of PostgreSQL 15 and 18, each in turn. About three seconds a major."""
    major, runtime = request.param
    directory = short_directory()
    dumps = directory / "dumps"
    with Cluster.create(directory / "c", major) as cluster:
        build(cluster, dumps)
    with opened_run(runtime) as run:
        yield World(major, dumps, run, tmp_path_factory.mktemp("logs"))
    shutil.rmtree(directory)


@pytest.fixture
def changed(world: World) -> Callable[..., str]:
    """A function that writes a changed copy of a dump and returns its name."""

    def change(
        origin: str, *replacements: tuple[bytes, bytes], keep: float = 1.0, lines: int | None = None
    ) -> str:
        data = (world.dumps / origin).read_bytes()
        for old, new in replacements:
            assert old in data, "a change that changes nothing proves nothing"
            data = data.replace(old, new)
        if lines is not None:
            data = b"".join(data.splitlines(keepends=True)[:lines])
        name = f"changed-{uuid4().hex[:8]}"
        (world.dumps / name).write_bytes(data[: int(len(data) * keep)])
        return name

    return change
