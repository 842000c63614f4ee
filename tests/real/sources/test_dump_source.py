"""Source `dump` on real dumps of real servers: every form comes back whole, with exact rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.sources.dump.source import DumpSource
from tests.real.dump_fixtures import COMPLETE, FORMS, ORDERS, World, changed, world

__all__ = ["changed", "world"]


@pytest.mark.parametrize("form", FORMS)
def test_every_format_comes_back_whole(world: World, form: str) -> None:
    """Rows, sequence values, materialized views and owners come back."""
    outcome = world.drill(f"shop.{form}", globals_path=world.roles)

    assert (outcome.verdict, outcome.rows) == ("passed", COMPLETE), outcome.problem
    assert outcome.contents.startswith("all ")


@pytest.mark.parametrize("codec", ["gzip", "bzip2", "lz4", "zstd"])
def test_a_compressed_plain_dump_is_known_by_its_bytes(world: World, codec: str) -> None:
    """The names of the files have no suffix of a compressor."""
    outcome = world.drill(f"packed.{codec}", globals_path=world.roles)

    assert (outcome.verdict, outcome.rows) == ("passed", COMPLETE), outcome.problem
    assert outcome.record.backup is not None
    assert outcome.record.backup.form == f"plain.{codec}"


@pytest.mark.parametrize("name", ["create.plain", "clean.plain", "inserts.plain", "verbose.plain"])
def test_plain_dumps_taken_with_options_load_too(world: World, name: str) -> None:
    """DROP statements find nothing in an empty cluster; --create creates the database."""
    outcome = world.drill(name, globals_path=world.roles)

    assert (outcome.verdict, outcome.rows) == ("passed", COMPLETE), outcome.problem


@pytest.mark.parametrize("name", ["all.out", "clean.out"])
def test_a_whole_cluster_comes_back(world: World, name: str) -> None:
    """Roles and memberships included: from 16 on they name a grantor that only production has."""
    outcome = world.drill(name)

    assert (outcome.verdict, outcome.rows) == ("passed", COMPLETE), outcome.problem
    assert outcome.record.database == "shop"


def test_tablespaces_stay_inside_the_sandbox(world: World) -> None:
    """The path in the dump is production's directory."""
    outcome = world.drill(
        "all.out",
        query="select spcname, pg_tablespace_location(oid) from pg_tablespace"
        " where spcname = 'fast'",
    )

    assert outcome.rows is not None, outcome.problem
    assert outcome.rows[1].startswith(str(world.run.root))


def test_memberships_and_owners_come_back(world: World) -> None:
    """An application connects as its role, so it has to own what it owned."""
    query = (
        "select pg_has_role('reader', 'team', 'member'), tableowner from pg_tables"
        " where tablename = 'orders'"
    )

    outcome = world.drill("shop.custom", query=query, globals_path=world.roles)

    assert outcome.rows == (True, "Odd Role"), outcome.problem


@pytest.mark.parametrize("name", ["shop.custom", "shop.plain"])
def test_without_owners_no_globals_are_needed(world: World, name: str) -> None:
    """A drill needs the rows; owners may be left out."""
    outcome = world.drill(name, owners=False)

    assert (outcome.verdict, outcome.rows) == ("passed", COMPLETE), outcome.problem


def test_jobs_are_used_and_named(world: World) -> None:
    """The restore time depends on the number of jobs, so the report names it."""
    outcome = world.drill("shop.directory", globals_path=world.roles, jobs=2)

    assert outcome.verdict == "passed", outcome.problem
    assert any("pg_restore --jobs 2" in phase.detail for phase in outcome.record.phases)


def test_a_table_brings_what_belongs_to_it(world: World) -> None:
    """Its index, key, type and sequence value; pg_restore --table restores none of them."""
    query = (
        "select (select count(*) from orders), nextval('orders_id_seq'),"
        " (select count(*) from pg_indexes where tablename = 'orders'), to_regclass('lines')"
    )

    outcome = world.drill("shop.custom", query=query, tables=("orders",), globals_path=world.roles)

    assert (outcome.verdict, outcome.rows) == ("passed", (ORDERS, ORDERS + 1, 2, None)), (
        outcome.problem
    )


def test_a_foreign_key_comes_when_both_tables_do(world: World) -> None:
    """With one table only, creating it would fail."""
    query = (
        "select (select count(*) from lines),"
        " (select count(*) from pg_constraint where contype = 'f')"
    )

    both = world.drill(
        "shop.custom", query=query, tables=("orders", "public.lines"), globals_path=world.roles
    )
    alone = world.drill("shop.custom", query=query, tables=("lines",), globals_path=world.roles)

    assert (both.rows, alone.rows) == ((200, 1), (200, 0)), both.problem + alone.problem


def test_partitions_come_with_their_table(world: World) -> None:
    """The parent has no rows of its own."""
    outcome = world.drill(
        "shop.custom", query="select count(*) from parted", tables=("parted",), owners=False
    )

    assert (outcome.verdict, outcome.rows) == ("passed", (40,)), outcome.problem


def test_schema_only_has_tables_and_no_rows(world: World) -> None:
    """Every object exists, and a count of zero is right."""
    outcome = world.drill(
        "shop.custom", query="select count(*) from orders", schema_only=True, owners=False
    )

    assert (outcome.verdict, outcome.rows) == ("passed", (0,)), outcome.problem


@pytest.mark.parametrize("name", ["shop.custom", "data.plain"])
def test_data_only_goes_into_the_schema_that_is_named(world: World, name: str) -> None:
    """A dump of rows alone can be restored only with the schema kept elsewhere."""
    outcome = world.drill(
        name,
        query="select (select count(*) from orders), (select count(*) from lines)",
        data_only=True,
        schema=str(world.dumps / "schema.plain"),
        globals_path=world.roles,
    )

    assert (outcome.verdict, outcome.rows) == ("passed", (ORDERS, 200)), outcome.problem


def test_a_dump_of_the_database_postgres_is_restored(world: World) -> None:
    """It exists in every cluster, so it is not created."""
    outcome = world.drill(
        "postgres.custom", query="select count(*) from here", globals_path=world.roles
    )

    assert (outcome.verdict, outcome.rows) == ("passed", (0,)), outcome.problem
    assert outcome.record.database == "postgres"


def test_the_evidence_names_the_database_dumped(world: World) -> None:
    """The report names the dumped database, or says that the dump does not name it."""
    named = world.drill("shop.custom", owners=False).record
    silent = world.drill("shop.plain", owners=False).record

    assert any("taken of database shop" in note for note in named.notes)
    assert any("does not name it" in sentence for sentence in silent.not_checked)


def test_an_unknown_locale_is_replaced_and_said(world: World, changed: Callable[..., str]) -> None:
    """The drill's machine may lack production's locales; the report says that sorting differs."""
    name = changed("create.plain", (b"LOCALE = 'C.UTF-8'", b"LOCALE = 'xx_YY.UTF-8'"))

    outcome = world.drill(name, globals_path=world.roles)

    assert (outcome.verdict, outcome.rows) == ("passed", COMPLETE), outcome.problem
    assert any("xx_YY.UTF-8 is not known" in phase.detail for phase in outcome.record.phases)


def test_the_catalogue_lists_dumps_oldest_first(world: World) -> None:
    """Reading it starts nothing and needs no PostgreSQL."""
    found = DumpSource("shop", str(world.dumps / "shop.*")).backups()

    assert [backup.server_major for backup in found] == [world.major] * len(FORMS)
    assert [found.index(backup) for backup in sorted(found, key=_moment)] == [0, 1, 2, 3]
    assert {backup.database for backup in found} == {"shop", None}


def _moment(backup: Backup) -> datetime:
    """Return when a dump began, by its own word; else its file's time."""
    file = datetime.fromtimestamp(Path(backup.location).stat().st_mtime, UTC)
    return backup.started_at or file
