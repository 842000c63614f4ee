"""Names of tables: who wrote the backup chose them."""

from __future__ import annotations

from pytest_pgrestore.assertions.tables import TableName


def test_a_name_is_shown_on_one_line() -> None:
    """Lines of ours, and commands for CI systems, cannot be forged."""
    name = TableName("erp", "x\n::error::owned\x1b[31m")

    assert str(name) == repr(name) == r"erp.x\n::error::owned\x1b[31m"
    assert name.dotted == "erp.x\n::error::owned\x1b[31m"
    assert name.quoted == '"erp"."x\n::error::owned\x1b[31m"'
