"""Messages of exceptions that pytest, pytest-timeout or we wrote, and that hold no value."""

from __future__ import annotations

import pytest

from pytest_pgrestore.privacy.traceback_entries import failed_by_pytest, raised_by_us, raised_in

_NOT_RUN = (
    "async def functions are not natively supported",
    "async def function and no async plugin",
)
"""Of pytest (9, and 8.2) about a test that needs a plugin for its event loop: it did not run."""

_BEGINNINGS = ("DID NOT RAISE", "DID NOT WARN", *_NOT_RUN)
"""Of messages of pytest.raises and pytest.warns (8.2 to 9.2); the first line has no value."""


def own_words(error: BaseException) -> str:
    """Return the message of an exception if it holds no value for sure; else ""."""
    text = text_of(getattr(error, "msg", error))
    if isinstance(error, pytest.fail.Exception | pytest.skip.Exception):
        if text.startswith(_BEGINNINGS) and failed_by_pytest(error):
            # pytest.RaisesGroup adds what it expected: the pattern may be made of a value.
            return text.splitlines()[0].partition(", expected")[0]
        return text if timed_out(error) or raised_by_us(error) else ""
    return text if isinstance(error, KeyboardInterrupt) and raised_by_us(error) else ""


def timed_out(error: BaseException) -> bool:
    """Return whether pytest-timeout (2.4) ended a test: its signal handler calls `pytest.fail`."""
    file = raised_in(error) if isinstance(error, pytest.fail.Exception) else None
    return file is not None and file.name == "pytest_timeout.py"


def did_not_run(error: BaseException) -> bool:
    """Return whether pytest could not run a test at all: it is asynchronous.

    pytest 8.2 skips it.
    """
    ended = isinstance(error, pytest.fail.Exception | pytest.skip.Exception)
    return ended and failed_by_pytest(error) and text_of(error).startswith(_NOT_RUN)


def text_of(value: object) -> str:
    """Return `str(value)`; "" if the user's ``__str__`` raises or returns something else."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - methods of the user's class may raise anything
        return ""
