"""Phases, timed."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.stopwatch import Stopwatch


def test_a_failed_phase_is_still_evidence() -> None:
    """The time until the failure is often the finding."""
    ticks = iter([10.0, 14.5])
    watch = Stopwatch(clock=lambda: next(ticks))

    with pytest.raises(ZeroDivisionError), watch.phase("fetch"):
        raise ZeroDivisionError

    assert [(phase.name, phase.seconds, phase.outcome) for phase in watch.phases] == [
        ("fetch", 4.5, "failed")
    ]


def test_only_what_a_real_recovery_has_counts_toward_the_rto() -> None:
    """Verifying the manifest is the drill's own work."""
    watch = Stopwatch()
    for name in (
        "locate",
        "provision",
        "fetch",
        "verify",
        "configure",
        "start",
        "replay",
        "promote",
        "ready",
    ):
        watch.add(name, 1.0)

    assert [phase.name for phase in watch.phases if not phase.counts_toward_rto] == [
        "locate",
        "provision",
        "verify",
    ]
