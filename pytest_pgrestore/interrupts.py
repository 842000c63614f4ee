"""SIGTERM ends a drill run as Ctrl-C does, with teardown and reports: CI systems, Kubernetes and systemd send it."""

from __future__ import annotations

import signal
import threading
from typing import Any


class TermSignal:
    """Turns the first SIGTERM into a KeyboardInterrupt while installed."""

    def __init__(self) -> None:
        self._previous: Any = None
        self._installed = False
        self._armed = False

    def install(self) -> None:
        """Start; does nothing outside the main thread, where Python allows no handlers."""
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGTERM, self._interrupt)
            self._installed = self._armed = True

    def disarm(self) -> None:
        """Ignore the signal from now on: the copies are being removed and the reports written."""
        self._armed = False

    def restore(self) -> None:
        """Put back the handler that was there."""
        if self._installed:
            signal.signal(signal.SIGTERM, self._previous)
            self._installed = False

    def _interrupt(self, _number: int, _frame: Any) -> None:
        if self._armed:
            # Once: whoever asks again must not interrupt the removal of the copies.
            self._armed = False
            raise KeyboardInterrupt("SIGTERM")
