"""Dumps with production's passwords, subscriptions, and triggers that run while they load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.dump.source import DumpSource
from tests.real.hostile import OWN_LOOKS, SUBSCRIBE, Production, production
from tests.real.worlds import MAJORS, Drilled

Drilling = Callable[..., Drilled]
PASSWORD = "prod" + "secret-7f3a"
FORMS = ("plain", "custom", "all")

# Each function hides its errors, so the load goes on and only the tripwire shows what it did.
_CALLS = (
    "create function {name}() returns {kind} language plpgsql {more} as $$ begin"
    " begin perform public.dblink_exec('{tcp}', 'insert into touched values (''{name}'')');"
    " exception when others then null; end;"
    " begin copy (select 1) to program 'touch {tripwire}'; exception when others then null; end;"
    " {last} end $$"
)


@dataclass(frozen=True)
class Dumped:
    """A database's dumps, and where they must leave no trace.

    Attributes:
        made: The production they were taken from.
        dumps: Directory with one of each form, and ``globals``.
        tripwire: A path no unprivileged user may write.
    """

    made: Production
    dumps: Path
    tripwire: Path


@pytest.fixture(scope="module", params=MAJORS)
def dumped(request: pytest.FixtureRequest) -> Iterator[Dumped]:
    """Production with a second database full of traps, dumped in each form."""
    with production(request.param) as made:
        tripwire = Path("/") / f"pgrestore-tripwire-{uuid4().hex}"
        cluster, dumps = made.cluster, made.cluster.directory / "dumps"
        for statement in (
            "create role pgrestore_harness login",
            "create role mapper",
            "create database shop",
        ):
            cluster.sql(statement)
        for statement in _traps(made, tripwire):
            cluster.sql(statement, database="shop")
        # The control: in production the same functions do reach what the copy must not.
        assert {who for (who,) in cluster.sql("select distinct who from touched")} >= {
            "in_index",
            "in_view",
            "at_ddl",
        }
        cluster.dump(dumps / "plain", "shop", form="plain")
        cluster.dump(dumps / "custom", "shop", form="custom")
        cluster.dump_all(dumps / "globals", "--globals-only")
        cluster.dump_all(dumps / "all")
        yield Dumped(made, dumps, tripwire)
        assert not tripwire.exists()


def _traps(made: Production, tripwire: Path) -> list[str]:
    def function(name: str, kind: str, last: str, more: str = "") -> str:
        words = {
            "name": name,
            "kind": kind,
            "tcp": made.conninfo(),
            "tripwire": tripwire,
            "more": more,
            "last": last,
        }
        return _CALLS.format(**words)

    secret = f"{made.conninfo()} password={PASSWORD}"
    return [
        "create extension dblink",
        "create extension postgres_fdw",
        "create table ledger as select generate_series(1, 100) i",
        (
            "create server production foreign data wrapper postgres_fdw"
            f" options (host '{made.address}')"
        ),
        (
            "create user mapping for mapper server production"
            f" options (user 'postgres', password '{PASSWORD}')"
        ),
        SUBSCRIBE.replace("{tcp}", secret),
        "alter subscription mirror enable",
        function("in_index", "int", "return 1;", "immutable"),
        function("in_view", "int", "return 1;"),
        function("at_ddl", "event_trigger", "return;"),
        "create materialized view seen as select public.in_view() from ledger limit 1 with no data",
        "create index calls on ledger ((public.in_index()))",
        "refresh materialized view seen",
        "create event trigger watching on ddl_command_end execute function at_ddl()",
        "alter event trigger watching enable always",
        "create table watched ()",
        "alter role pgrestore_harness set statement_timeout = 1",
        "alter database shop set default_transaction_read_only = on",
    ]


def _source(dumped: Dumped, form: str, roles: Path | None = None) -> DumpSource:
    globals_path = None if roles is None else str(roles)
    return DumpSource("shop", str(dumped.dumps / form), database="shop", globals_path=globals_path)


@pytest.mark.parametrize("form", FORMS)
def test_loading_reaches_nothing_and_tells_no_secret(
    dumped: Dumped, drill: Drilling, tmp_path: Path, form: str
) -> None:
    """A dump is code that runs while it loads, and it holds production's passwords in clear."""
    made = dumped.made
    # What production itself has done so far with its own functions is not the copy's doing.
    made.cluster.sql("truncate touched")
    made.traces()
    before = made.traces()

    roles = None if form == "all" else dumped.dumps / "globals"
    drilled = drill(_source(dumped, form, roles), database="shop")

    assert drilled.rows() == 100
    assert drilled.ask("select in_view from seen") == 1
    assert drilled.verdict_of("quarantine") == "passed"
    assert drilled.ask("select count(*) from pg_subscription where subenabled") == 0
    after = made.traces()
    assert after.connections - before.connections == OWN_LOOKS
    assert (after.files, after.archive, after.slots, after.rows) == (
        before.files,
        before.archive,
        before.slots,
        before.rows,
    )
    assert not dumped.tripwire.exists()
    assert drilled.result.record.verdict() is Verdict.PASSED
    assert PASSWORD not in _told(drilled, tmp_path)


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_statement_that_fails_is_told_without_its_password(
    dumped: Dumped, drill: Drilling, tmp_path: Path, form: str
) -> None:
    """CREATE USER MAPPING fails without its role. pg_restore prints the statement, psql a line."""
    drilled = drill(_source(dumped, form), database="shop")

    assert drilled.result.record.verdict() is not Verdict.PASSED
    assert "mapper" in drilled.cause
    assert PASSWORD not in _told(drilled, tmp_path)


def _told(drilled: Drilled, place: Path) -> str:
    """Return all that is kept of a drill."""
    return repr(drilled.result.record) + "".join(
        path.read_text() for path in place.rglob("*") if path.is_file()
    )
