"""The one loop that waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.01
"""A server that is ready is seen at most 10 ms later; one poll reads a few bytes."""


def wait_until(
    done: Callable[[], bool],
    *,
    what: str,
    timeout_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Call `done` until it returns true; return the seconds that took.

    Args:
        done: The condition. What it raises is passed on.
        what: Subject of the error message, e.g. "the server".
        timeout_seconds: Deadline.
        clock: Monotonic seconds.
        sleep: Waits between two calls.

    Raises:
        HarnessError: The deadline passed.
    """
    started = clock()
    while not done():
        waited = clock() - started
        if waited >= timeout_seconds:
            raise HarnessError(
                f"{what} took longer than {timeout_seconds:g} s",
                hint="raise --pgrestore-timeout, or read the saved server log.",
            )
        sleep(POLL_SECONDS)
    return clock() - started
