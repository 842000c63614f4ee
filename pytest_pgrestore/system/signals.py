"""SIGTERM ends a drill run as Ctrl-C does, with teardown and reports.

CI systems, Kubernetes and systemd send SIGTERM. Without a handler it ends Python at once.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


_AGAIN_SECONDS = 0.05


class TermSignal:
    """While installed, turns the first SIGTERM into a KeyboardInterrupt."""

    def __init__(self) -> None:
        self._previous: dict[int, Any] = {}
        self._armed = False
        self._patience = 3
        self._unraisable: Any = None

    def install(self) -> None:
        """Start handling SIGTERM; a no-op outside the main thread (see `signal.signal`)."""
        if threading.current_thread() is threading.main_thread():
            self._previous[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._interrupt)
            self._armed = True
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._swallowed

    def disarm(self) -> None:
        """Ignore SIGTERM and Ctrl-C from now on: copies are being removed, reports are written.

        A teardown of the user may hang, so the third Ctrl-C interrupts. The watchdog then removes
        the copies.
        """
        self._armed = False
        if self._previous and signal.SIGINT not in self._previous:
            # Not SIG_IGN: the programs we start would inherit it through exec (signal(7)).
            self._previous[signal.SIGINT] = signal.signal(signal.SIGINT, self._be_patient)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Delay SIGTERM and Ctrl-C until the body has finished."""
        came: list[int] = []
        main = threading.current_thread() is threading.main_thread()
        kept = {
            number: signal.signal(number, lambda number, _frame: came.append(number))
            for number in ((signal.SIGINT, signal.SIGTERM) if main else ())
        }
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
        if came and signal.SIGINT not in self._previous:
            self._armed = False
            raise KeyboardInterrupt("SIGTERM" if came[0] == signal.SIGTERM else "")

    def restore(self) -> None:
        """Put the previous handlers back."""
        while self._previous:
            signal.signal(*self._previous.popitem())
        if sys.unraisablehook == self._swallowed:
            sys.unraisablehook = self._unraisable

    def _swallowed(self, unraisable: Any) -> None:
        """Interrupt again when Python swallowed our KeyboardInterrupt.

        Python cannot raise out of fork handlers, finalizers and callbacks of the garbage
        collector. It calls `sys.unraisablehook` instead.
        """
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            self._unraisable(unraisable)
            return
        number = signal.SIGTERM if unraisable.exc_value.args else signal.SIGINT
        self._armed = signal.SIGINT not in self._previous
        main = threading.main_thread().ident or 0
        again = threading.Timer(_AGAIN_SECONDS, lambda: signal.pthread_kill(main, number))
        again.daemon = True
        again.start()

    def _be_patient(self, _number: int, _frame: Any) -> None:
        self._patience -= 1
        if self._patience == 0:
            raise KeyboardInterrupt

    def _interrupt(self, _number: int, _frame: Any) -> None:
        if self._armed:
            # Once: a second SIGTERM must not interrupt the removal of the copies.
            self._armed = False
            raise KeyboardInterrupt("SIGTERM")
