"""Documents, texts and checksums: drill_content.toml says the same in SQL."""

import tomllib
import zlib
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

pytestmark = pytest.mark.pgrestore("shop")

Wrong = Callable[..., tuple[int, int | None]]

THRESHOLDS = tomllib.loads(Path(__file__).with_name("thresholds.toml").read_text(encoding="utf-8"))


def test_every_event_has_its_keys(wrong: Wrong) -> None:
    """What reads events needs both."""
    events, first = wrong("""
        select id from events where not payload ?& array['type', 'schema_version'] order by id
    """)

    assert events == 0, f"{events} events lack a key, first {first}"


def test_events_are_of_versions_that_we_read(wrong: Wrong) -> None:
    """The versions stand in a file of their own: they change more often than this test."""
    events, first = wrong(
        """
        select id from events
        where (payload ->> 'schema_version')::int
              not between %(oldest_schema)s and %(newest_schema)s order by id
        """,
        **THRESHOLDS,
    )

    assert events == 0, f"{events} events are of an unknown version, first {first}"


def test_the_settings_are_the_deployed_ones(pgrestore_conn: psycopg.Connection) -> None:
    """Part by part: a document as a whole is not shown."""
    (settings,) = pgrestore_conn.execute("select document from settings").fetchone()
    vat, currency = settings["vat"], settings["currency"]

    assert vat == 20, "the rate of VAT is not the deployed one"
    assert currency == "EUR", "the currency is not the deployed one"
    assert settings["features"] == ["invoices", "coupons"], "the features are not the deployed ones"


def test_no_text_was_decoded_twice(wrong: Wrong) -> None:
    """UTF-8 that was taken for Latin-1 begins its special letters with one of these."""
    customers, first = wrong(
        r"select id from customers where name ~ '[ÃÂ][\u0080-\u00BF]' order by id"
    )

    assert customers == 0, f"{customers} names were decoded twice, first {first}"


def test_every_invoice_has_its_checksum(wrong: Wrong) -> None:
    """The file is the one that was sent."""
    invoices, first = wrong(
        "select id from invoices where sha256(pdf) is distinct from sha256 order by id"
    )

    assert invoices == 0, f"{invoices} invoices have another checksum, first {first}"


def test_the_audit_log_is_unbroken(wrong: Wrong) -> None:
    """Each entry has the checksum of itself and the one before it."""
    entries, first = wrong("""
        select id from (
            select id, chain, sha256(
                coalesce(lag(chain) over (order by id), '') || convert_to(action, 'UTF8')) as wanted
            from audit_log
        ) log where chain is distinct from wanted order by id
    """)

    assert entries == 0, f"the audit log is broken at {entries} entries, first {first}"


def test_line_amounts_are_quantity_times_price(wrong: Wrong) -> None:
    """A generated column cannot differ; one that was made a plain one can."""
    lines, first = wrong("""
        select id from order_lines where amount is distinct from quantity * price order by id
    """)

    assert lines == 0, f"{lines} lines have another amount, first {first}"


def test_every_export_can_be_unpacked(pgrestore_conn: psycopg.Connection) -> None:
    """Python alone: SQL cannot look into it."""
    for export, packed in pgrestore_conn.execute("select id, packed from exports order by id"):
        try:
            size = len(zlib.decompress(packed))
        except zlib.error:
            size = 0

        assert size > 0, f"export {export} cannot be unpacked"
