"""Server logs as they are saved: without row values."""

from __future__ import annotations

import pytest

from pytest_pgrestore.privacy.log_text import without_values
from tests.unit.server_log import RECOVERED


def test_saved_logs_keep_no_row_values() -> None:
    """A DETAIL line quotes the row; before clients can log in it quotes settings: those stay."""
    kept = without_values(RECOVERED)

    assert "a@example.com" not in kept
    assert "duplicate key value" in kept


def test_an_error_message_that_quotes_a_value_is_not_kept() -> None:
    """Class 22 errors (data exceptions) quote the value in the message itself."""
    stamp = "2026-03-01 12:00:03.000 UTC [12] 22P02"
    line = f'{stamp} ERROR:  invalid input syntax for type integer: "secret"\n'

    assert "secret" not in without_values(RECOVERED + line)


def test_a_raise_with_a_code_of_its_own_is_not_kept() -> None:
    """Its text is anything; the context tells it. Messages around it stay."""
    stamp = "2026-03-01 12:00:03.000 UTC [12] 23514"
    raised = (
        f"{stamp} ERROR:  kept one\n"
        f"{stamp} ERROR:  order secret\n\tLOG:  secret\n"
        f"{stamp} HINT:  ask secret\n"
        f"{stamp} CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE\n"
        f"{stamp} ERROR:  kept two\n"
        f"{stamp} CONTEXT:  PL/pgSQL function inline_code_block line 1 at SQL statement\n"
    )

    kept = without_values(RECOVERED + raised)

    assert "secret" not in kept
    assert "kept one" in kept
    assert "kept two" in kept


@pytest.mark.parametrize(
    "lines",
    [
        ["ERROR:  a", *["\tDETAIL:  x"] * 5000],
        ["ERROR:  " * 5000],
        ["ERROR:  a", "DETAIL:  " * 5000],
        ["ERROR:  a", "DETAIL:  x"] * 5000,
        ["x" * 40_000 + " ERROR:  a"],
    ],
    ids=["parts that begin with a tab", "labels", "labels of parts", "parts", "long line"],
)
def test_what_a_log_looks_like_does_not_change_how_long_it_takes(lines: list[str]) -> None:
    """Fifty such lines took longer than a life: whoever writes the backup chooses its messages."""
    begun = f"{RECOVERED}2026-03-01 12:00:03.000 UTC [12] XX000 "

    assert without_values(begun + "\n".join(lines))
