"""The one loop that waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.01
"""A server that is ready is seen 10 ms later at most; asking is a read of a few bytes."""


def wait_until(
    done: Callable[[], bool],
    *,
    what: str,
    timeout_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Call `done` until it says yes; return the seconds that took.

    Raises:
        HarnessError: The deadline passed. Whatever `done` raises is passed on.
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
