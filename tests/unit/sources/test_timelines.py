"""The text of a ``.history`` file."""

from __future__ import annotations

from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.wal.timelines import parse_history
from tests.unit.sources.histories import history


def test_a_history_names_its_ancestors() -> None:
    """Comments and empty lines are allowed."""
    text = f"# a comment\n\n{history((1, 0x300500), (2, 0x500000))}"

    assert parse_history(text, 3) == [(1, Lsn(0x300500)), (2, Lsn(0x500000))]
