"""Phases, timed."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.stopwatch import Stopwatch


def test_a_failed_phase_is_still_evidence() -> None:
    """The time until the failure is often the finding."""
    ticks = iter([9.0, 10.0, 14.5])
    watch = Stopwatch(clock=lambda: next(ticks))

    with pytest.raises(ZeroDivisionError), watch.phase("fetch"):
        raise ZeroDivisionError

    assert [
        (phase.name, phase.seconds, phase.outcome, phase.began_seconds) for phase in watch.phases
    ] == [("fetch", 4.5, "failed", 1.0)]


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


def test_a_phase_that_was_timed_elsewhere_ends_when_it_is_added() -> None:
    """A trace shows each phase where it was."""
    ticks = iter([100.0, 130.0])
    watch = Stopwatch(clock=lambda: next(ticks))
    watch.add("replay", 12.0)

    (phase,) = watch.phases
    assert (phase.began_seconds, phase.seconds) == (18.0, 12.0)
