"""What a parser of hostile input may do: return, or raise one of our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_pgrestore.model.errors import PgRestoreError

LONGEST_PROBLEM = 10_000
"""Characters of a message. A longer one quotes the input whole."""


@contextmanager
def only_our_errors() -> Iterator[None]:
    """Let an error of ours pass that has a problem and a hint; every other one fails the test."""
    error: PgRestoreError | None = None
    try:
        yield
    except PgRestoreError as exc:
        error = exc
    if error is not None:
        assert error.problem
        assert error.hint
        assert len(error.problem) < LONGEST_PROBLEM, error.problem[:1000]
