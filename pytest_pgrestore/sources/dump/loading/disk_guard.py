"""Ends a load before it fills the disk: how large a dump becomes is known only while it loads."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.sandboxes.protocol import Sandbox

_PAUSE_SECONDS = 0.05
"""Time between two looks. A fast disk takes 100 MB in it."""


@contextmanager
def keeping_free(sandbox: Sandbox, kept_bytes: int) -> Iterator[None]:
    """Stop the sandbox's server when its file system has less than `kept_bytes` free.

    Raises:
        HarnessError: It was stopped. An error of the body is its cause.
    """
    guard = _Guard(sandbox, kept_bytes)
    guard.start()
    try:
        yield
    except Exception as exc:
        guard.end()
        if guard.free_bytes is not None:
            raise guard.error() from exc
        raise
    finally:
        guard.end()
    if guard.free_bytes is not None:
        raise guard.error()


class _Guard:
    """A thread that looks at the free space.

    Attributes:
        free_bytes: Free space when the server was stopped; None if it was not.
    """

    def __init__(self, sandbox: Sandbox, kept_bytes: int) -> None:
        self.free_bytes: int | None = None
        self._sandbox = sandbox
        self._kept_bytes = kept_bytes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="pgrestore-disk", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def error(self) -> HarnessError:
        return HarnessError(
            f"the load was ended when {self._sandbox.root} had {self.free_bytes:,} bytes free",
            hint="free the disk or set sandbox.directory to a larger one; if the database should"
            " fit, find out what makes the dump so large. The limit is keep_free_mb in the source.",
        )

    def _watch(self) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            try:
                free = shutil.disk_usage(self._sandbox.root).free
            except OSError:
                return  # the sandbox has gone
            if free < self._kept_bytes:
                self.free_bytes = free
                self._sandbox.stop()
                return
