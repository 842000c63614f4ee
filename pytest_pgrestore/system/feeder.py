"""Writing to the standard input of a program from a thread, so that its deadline keeps counting."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


_FINISH_SECONDS = 60.0
"""Time for a chunk that is being read, after the program has ended."""


class Feeder:
    """Writes chunks to a program's standard input. The thread starts at once.

    Args:
        chunks: What to write. An exception raised by the iterable is kept in `error`.
        write: Writes one chunk. When it raises OSError the program has ended, and feeding stops.
        close: Ends the input, also after an error. It may raise OSError.
        failed: Called when the iterable raised: ends a program that got half of its input.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        write: Callable[[bytes], Any],
        close: Callable[[], Any],
        failed: Callable[[], Any] = lambda: None,
    ) -> None:
        self.error: BaseException | None = None
        self._chunks = chunks
        self._write = write
        self._close = close
        self._failed = failed
        self._thread = threading.Thread(target=self._feed, name="pgrestore-stdin", daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        try:
            self._feed_all()
        except BaseException as exc:  # noqa: BLE001 - the caller raises it again in its own thread
            self.error = exc
            self._failed()
        try:
            self._close()
        except OSError:
            pass

    def _feed_all(self) -> None:
        for chunk in self._chunks:
            try:
                self._write(chunk)
            except OSError:
                return  # the program ended first; its exit status gives the reason

    def finish(self) -> None:
        """Wait until the thread has closed the input of a program that has ended.

        A process that the program left behind may hold the pipe and not read: the thread then stays
        behind too, and `error` says so.
        """
        self._thread.join(_FINISH_SECONDS)
        if self._thread.is_alive() and self.error is None:
            self.error = HarnessError(
                "a program ended, and something it started still holds its input",
                hint="look for processes that the program left behind.",
            )

    def raise_error(self) -> None:
        """Raise what the iterable raised, if it did."""
        if self.error is not None:
            raise self.error
