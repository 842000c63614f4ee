"""Open files that must end with this process, and not with a child that a user's test forks.

A pipe tells the watchdog that the run has ended, and a lock tells it to others: both last as long
as any process has them open (pipe(7), flock(2)). A program that is started with exec does not
inherit them; a child of `os.fork` and of multiprocessing's "fork" does.
"""

from __future__ import annotations

import os
import weakref
from functools import cache
from typing import IO, Any

_FILES: weakref.WeakSet[IO[Any]] = weakref.WeakSet()


def keep_from_forks(stream: IO[Any]) -> None:
    """Let no child of this process hold `stream` open. Closing it here works as ever."""
    _register()
    _FILES.add(stream)


@cache
def _register() -> None:
    # Once: what is registered cannot be taken back.
    os.register_at_fork(after_in_child=_drop)


def _drop() -> None:
    """Put /dev/null in the place of each file: its number stays taken, so a close does no harm."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for stream in list(_FILES):
        try:
            os.dup2(nothing, stream.fileno(), inheritable=False)
        except (OSError, ValueError):  # closed already
            continue
    os.close(nothing)
