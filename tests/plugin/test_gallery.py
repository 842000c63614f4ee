"""examples/assertions: green on the shop, and each assertion tells how its twin broke it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from pytest_pgrestore.assertions.answer import Answer
from pytest_pgrestore.assertions.comparison import rows_complaint
from pytest_pgrestore.assertions.parameters import bind
from pytest_pgrestore.assertions.question import Session, ask, begin
from pytest_pgrestore.assertions.tables import tables_like
from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.collection.drill_suite import read_drill
from tests.plugin.conftest import MAJOR, evidence_in, run_pytest, use_sandbox
from tests.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.assertions.table import AssertTable
    from pytest_pgrestore.model.evidence import AssertionOutcome

pytestmark = pytest.mark.long  # two runs of about 110 tests each, and a database for each twin

GALLERY = ROOT / "examples" / "assertions"
DRILL = "shop@latest"
ANY_ROW = SQL("select 1 from {} limit 1")


def twins() -> dict[str, list[str]]:
    """Return the statements that break each assertion, by its name."""
    text = (GALLERY / "twins.sql").read_text(encoding="utf-8")
    found = re.findall(r"^-- (.+)\n((?:(?!--|\n).*\n)+)", text, re.MULTILINE)
    return {name: re.split(r"(?<=;)\n(?! *end)", body.strip()) for name, body in found}


@dataclass(frozen=True)
class Shop:
    """Backups of the gallery's schema: each directory has ``base`` and ``wal``."""

    healthy: Path
    broken: Path


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """A server with the gallery's schema, in the database ``healthy`` that nobody changes."""
    directory = short_directory()
    with Cluster.create(directory / "c", MAJOR) as cluster:
        cluster.sql("create database healthy")
        schema = (GALLERY / "schema.sql").read_text(encoding="utf-8")
        cluster.sql(schema, database="healthy")
        yield cluster
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def shop(server: Cluster) -> Shop:
    """One base backup; the twins are in the WAL of the broken one."""
    directory = server.directory.parent
    found = Shop(directory / "healthy", directory / "broken")
    server.sql("create database shop template healthy")
    base = server.base_backup(directory / "base")
    server.restore_point("before_the_release")
    server.sql("insert into heartbeats values (now())", database="shop")
    server.switch_wal()
    for place in (found.healthy, found.broken):
        place.mkdir()
        (place / "base").symlink_to(base)
    shutil.copytree(server.archive, found.healthy / "wal")
    for statements in twins().values():
        break_with(server, "shop", statements)
    server.switch_wal()
    shutil.copytree(server.archive, found.broken / "wal")
    return found


def break_with(server: Cluster, database: str, statements: list[str]) -> None:
    """Run the statements of a twin."""
    for statement in statements:
        server.sql(statement, database=database)


def drill(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, backups: Path
) -> tuple[pytest.RunResult, dict[str, AssertionOutcome]]:
    """Run the gallery as it stands; return the assertions by their names in it."""
    shutil.copytree(GALLERY, pytester.path, dirs_exist_ok=True)
    monkeypatch.setenv("SHOP_BACKUPS", str(backups))
    use_sandbox(monkeypatch, "local")
    result = run_pytest(pytester)
    record = next(one for one in evidence_in(pytester.path).drills if one.drill == DRILL)
    return result, {outcome.name: outcome for outcome in record.assertions}


ONE = "expected no rows, the query returned 1\n  "

TOLD = {
    "every entry balances": (ONE + "entry_id = 6, difference = 5.00", "first = 6"),
    "balances agree with the postings": (
        ONE + "account = 3, balance = -100.00, booked = 0",
        "first = 3",
    ),
    "every invoice is the sum of its lines": (
        ONE + "invoice = 40, total = 63.00, lines = 64.00",
        "first = 40",
    ),
    "every day has an exchange rate": (ONE + "day = 20", "where days = 1\nwhere first = 20"),
    "payments are what finance reported": (
        "expected about 10_400 within 1%, observed 9348.00",
        "where paid = 9348.0",
    ),
    "no payment is booked twice": (
        ONE + "provider_reference = pay_7, payments = [7, 8]",
        "where first = 7",
    ),
    "every iban is valid": (None, "where tenant = 1"),
    "every month has its partition": (ONE + "month = 20", "where months = 1\nwhere first = 20"),
    "no order lies in the default partition": ("expected = 0, observed 1", "where orders = 1"),
    "the newest heartbeat is of the last minutes": (
        "expected < 15m, observed 3:00:",
        "where minutes = 180.",
    ),
    "prices of a product do not overlap": (
        ONE + "product_id = 4, one = [2025-01-01,), other = [2025-06-01,2025-07-01)",
        "where product = 4",
    ),
    "no order line without its order": (ONE + "line = 401, order_id = 9999", "first = 401"),
    "every foreign key is validated": (
        ONE + "table = invoice_lines, key = invoice_lines_invoice_id_fkey",
        "[invoice_lines_invoice_id_fkey]: where validated = False",
    ),
    "an email belongs to one live customer of a tenant": (
        ONE + "tenant_id = 1, customers = [9, 12]",
        "first = 9",
    ),
    "sequences are ahead of their keys": (
        ONE + "sequence = customers_id_seq, last_value = 1, largest = 60",
        "[customers_id_seq-customers]: where last = 1\nwhere largest = 60",
    ),
    "an order has the states that the application knows": (
        "expected 4 values, the query returned 5: new, paid, shipped, cancelled, refunded",
        "where unknown = 1",
    ),
    "no table is empty": (
        "public.countries: expected > 0, observed 0",
        "[countries]: where rows = 0",
    ),
    "every event has its keys": (ONE + 'event = 17, missing = ["type"]', "first = 17"),
    "events are of versions that we read": (ONE + "event = 18, version = 99", "first = 18"),
    "the settings are the deployed ones": ("vat: expected 20, observed 19", "where vat = 19"),
    "no text was decoded twice": (ONE + "customer = 5", "first = 5"),
    "every invoice has its checksum": (ONE + "invoice = 33", "first = 33"),
    "the audit log is unbroken": (ONE + "entry = 8", "first = 8"),
    "line amounts are quantity times price": (
        ONE + "line = 77, quantity = 3, price = 10.00, amount = 0.00",
        "first = 77",
    ),
    "every export can be unpacked": (None, "where export = 1"),
    "a tenant sees no other tenant": (
        "returned 2\n  tenant_id = 1, customers = 20\n  tenant_id = 3, customers = 20",
        "where others = 40",
    ),
    "a tenant sees its orders": ("expected between 50 and 100, observed 0", "where orders = 0"),
    "row security is on wherever there is a tenant": (
        ONE + "table = coupons",
        "[coupons]: where secured = False",
    ),
    "reports cannot read emails": ("expected = false, observed true", "where reads = True"),
    "everything belongs to its owner": (
        "  relation = payments, owner = postgres",
        "[payments]: where ours = False",
    ),
    "every trigger is enabled": (
        ONE + "table = orders, trigger = orders_touch",
        "[orders_touch]: where enabled = False",
    ),
    "the application can place an order": (
        "permission denied for sequence order_number",
        "permission denied for sequence order_number",
    ),
    "every table has a comment": (ONE + "table = heartbeats", "[heartbeats]: where told = False"),
    "what the application calls is there": (
        "gross: expected = true, observed false",
        "where gross = False",
    ),
    "a deleted customer has no live order": (ONE + "customer = 7, orders = 11", "first = 7"),
    "every large object is in use": (
        ONE + "oid = 424242, attachment = null, state = orphan",
        "first = 424242",
    ),
    "the newest migration is the deployed one": (
        "expected matches ^20260517_, observed 20260601_try",
        "where day = 20260601",
    ),
    "coupons are those of before the release": (
        "percent differs in 1 row\nchanged: code = SPRING, percent = 100 (expected 10)",
        "where percent = 105\nwhere percent_before = 15",
    ),
    "the view of live customers hides deleted ones": ("customer = 7\n", "first = 7"),
    "daily revenue agrees with the orders": (", kept = 35.00, now = 36.00", "first = 20"),
}
"""What a message must say of the twin: in the drill file (None: Python alone), and in Python."""

WARNED = "every table has a comment"


def messages(found: dict[str, AssertionOutcome]) -> dict[str, tuple[str, str]]:
    """Return what is said of each assertion that is not green: in drill files, and in Python.

    The name of a parametrized test tells its parameter: it stands before the message.
    """
    said: dict[str, list[str]] = {}
    for name, outcome in found.items():
        if outcome.verdict is Verdict.PASSED:
            continue
        own = name.partition("::")[2]
        in_python = own.startswith("test_")
        base, bracket, parameter = own.partition("[")
        key = base.removeprefix("test_").replace("_", " ").strip()
        said.setdefault(key, ["", ""])
        lines = [line.strip() for line in outcome.message.splitlines()]
        numbers = "\n".join([line for line in lines if line.startswith("where ")] or lines)
        text = f"{bracket}{parameter}: {numbers}" if in_python else outcome.message
        said[key][in_python] += f"{text}\n"
    return {name: (one, other) for name, (one, other) in said.items()}


def test_every_assertion_has_its_twin() -> None:
    """Forty, by the same names everywhere."""
    files = [*GALLERY.glob("drill_*.toml"), *GALLERY.glob("checks/*.sql")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    in_sql = set(re.findall(r'^(?:-- name: |name = ")([^"\n]+)', text, re.MULTILINE))
    tests = "\n".join(path.read_text(encoding="utf-8") for path in GALLERY.glob("test_*.py"))
    in_python = {name.replace("_", " ") for name in re.findall(r"def test_(\w+)", tests)}

    assert len(TOLD) == 40
    assert set(twins()) == in_python == set(TOLD)
    assert in_sql == {name for name, (told, _) in TOLD.items() if told is not None}


def complaint(
    connection: psycopg.Connection[Any], healthy: psycopg.Connection[Any], written: AssertTable
) -> str | None:
    """Return what an assertion of a drill file says of a database; `healthy` is the other side."""
    now = datetime.now(UTC)
    values = {**written.params, "backup_at": now, "recovered_to": now}
    if written.tables is not None:
        found = tables_like(connection, written.tables)
        empty = [
            one
            for one in found
            if not connection.execute(ANY_ROW.format(Identifier(*one))).fetchone()
        ]
        return "empty" if empty else None
    begin(connection, Session(written.as_role, written.set))
    bound = bind(written.sql, values)
    try:
        answer = ask(connection, bound.text, {name: values[name] for name in bound.names})
    except psycopg.Error as exc:
        return str(exc)
    finally:
        connection.rollback()  # one of them writes
        connection.execute("reset role")
        connection.execute("reset all")
    if written.compare is not None:
        there = Answer(answer.columns, healthy.execute(written.sql.encode()).fetchall())
        return rows_complaint(answer, there, "healthy", written.key or ())
    assert written.expect is not None
    return written.expect.complaint(answer)


def test_each_twin_breaks_its_own_assertion_alone(server: Cluster) -> None:
    """Otherwise a message may be about something else."""
    paths = sorted(GALLERY.glob("drill_*.toml"))
    written = {one.table.name: one.table for path in paths for one in read_drill(path).assertions}
    server.sql("create database other template healthy")
    for name, statements in {"": [], **twins()}.items():
        server.sql("create database twin template healthy")
        break_with(server, "twin", statements)
        with server.connect("twin") as twin, server.connect("other") as other:
            twin.autocommit = False

            broken = {one for one, table in written.items() if complaint(twin, other, table)}

        assert broken == {name} & set(written)
        server.sql("drop database twin")


def test_the_gallery_is_green(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    """On the healthy shop."""
    result, found = drill(pytester, monkeypatch, shop.healthy)

    assert result.ret == 0, result.stdout.str()
    assert messages(found) == {}


def test_each_twin_is_told(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    """Would you know at 3 am? Each message names the table, the rows or the numbers."""
    result, found = drill(pytester, monkeypatch, shop.broken)

    said = messages(found)
    verdicts = {outcome.verdict for outcome in found.values()}
    assert result.ret == 1
    assert set(said) == set(TOLD)
    for name, (in_sql, in_python) in TOLD.items():
        assert (in_sql or "") in said[name][False]
        assert in_python in said[name][True]
    assert verdicts == {Verdict.PASSED, Verdict.FAILED, Verdict.WARNING}
    warned = {name for name, one in found.items() if one.verdict is Verdict.WARNING}
    assert warned == {
        f"drill_access.toml::{WARNED}",
        "test_access.py::test_every_table_has_a_comment[heartbeats]",
    }
    assert "example.com" not in result.stdout.str()
