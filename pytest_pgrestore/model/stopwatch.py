"""Phases, timed. The caller of a restore owns the watch: a failed restore leaves its phases."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNTED = frozenset({"fetch", "configure", "start", "replay", "promote", "ready"})
"""Phases that a real recovery has too. The others (locate, provision, verify) are the drill's."""


class Lap:
    """The phase under way. Its body may set `detail`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.detail = ""


class Stopwatch:
    """Collects phases in the order they ended.

    Attributes:
        clock: Seconds of a monotonic clock.
        phases: The phases that ended.
        current: Name of the last phase that began; empty before the first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.phases: list[Phase] = []
        self._began = clock()
        self.current = ""

    @contextmanager
    def phase(self, name: str) -> Iterator[Lap]:
        """Time the body, and record it even when it raises."""
        lap = Lap(name)
        self.current = name
        started = self.clock()
        outcome = "failed"
        try:
            yield lap
            outcome = "ok"
        finally:
            self._add(name, started, self.clock() - started, outcome=outcome, detail=lap.detail)

    def add(self, name: str, seconds: float, *, outcome: str = "ok", detail: str = "") -> None:
        """Record a phase that ends now and was timed elsewhere.

        For example between two lines of the server's log.
        """
        self._add(name, self.clock() - seconds, seconds, outcome=outcome, detail=detail)

    def _add(self, name: str, started: float, seconds: float, *, outcome: str, detail: str) -> None:
        self.phases.append(
            Phase(
                name=name,
                seconds=seconds,
                outcome=outcome,
                counts_toward_rto=name in COUNTED,
                began_seconds=max(0.0, started - self._began),
                detail=detail,
            )
        )
