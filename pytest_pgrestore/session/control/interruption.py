"""An interruption whose traceback pytest can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.privacy.traceback_entries import with_lines

if TYPE_CHECKING:
    import pytest


def give_lines(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Give every entry of an interruption's traceback a line number, as `with_lines` does."""
    error: BaseException | None = excinfo.value
    known: set[int] = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        error.__traceback__ = with_lines(error.__traceback__)
        error = error.__cause__ or error.__context__
    traceback = with_lines(excinfo.tb)
    if traceback is not None:
        excinfo.traceback = type(excinfo.traceback)(traceback)
