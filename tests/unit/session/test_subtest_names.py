"""Which names of subtests are shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_pgrestore.privacy.row_values import Redactor
from pytest_pgrestore.session.outcomes.subtest_names import withhold_name

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
TABLES = ["orders", "customers"]

def test_tables(subtests):
    for table in TABLES:
        with subtests.test(f"rows of {table}", table=table):
            pass
    with subtests.test("select 'alice' || '@example.com'"):
        pass
"""


@pytest.mark.parametrize(
    ("name", "is_shown"),
    [
        ("orders", True),
        ("rows of orders", True),
        ("orders, customers", True),
        ("alice@example.com", False),
        ("rows of alice", False),
        ("5550199", False),
        ("", True),
    ],
)
def test_a_name_is_shown_if_the_source_has_it(tmp_path: Path, name: str, *, is_shown: bool) -> None:
    """A name may come from a row; what the author wrote does not."""
    module = tmp_path / "test_x.py"
    module.write_text(SOURCE)
    item: Any = SimpleNamespace(path=module, stash=pytest.Stash())
    context = SimpleNamespace(msg=name, kwargs={"name": repr(name), "number": "12", "raw": 7})

    withhold_name(context, item, Redactor(b"key"))

    assert (context.msg == name) is is_shown
    assert (context.kwargs["name"] == repr(name)) is is_shown
    assert context.kwargs["number"] == "12"
    assert cast("int", context.kwargs["raw"]) == 7
