"""Trend and forecast of made histories: what moves the date, and what must not."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pgrestore.history.entry import PastObjective
from pytest_pgrestore.history.forecast import outlook_of
from pytest_pgrestore.history.series import newest, series_of
from pytest_pgrestore.history.trend import slope_of
from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.past import Forecast, Outlook
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.outlook import forecast_words, outlook_lines
from tests.unit.history.made import DAY, NOW, drill, entry

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_pgrestore.history.entry import PastDrill

NOISE = (3.0, -1.0, -4.0, 2.0, 0.0, -2.0, 1.0, 4.0, -3.0)
"""Seconds around the line; their median is 0."""


def nights(
    number: int = 40, per_day: float = 0.0, noise: float = 0.0, base: float = 600.0
) -> list[PastDrill]:
    """Drills of `number` nights that end with `base` seconds, and grow by `per_day`."""
    return [
        drill(ago, base - per_day * ago + noise * NOISE[ago % len(NOISE)])
        for ago in reversed(range(number))
    ]


def outlook(drills: list[PastDrill], now: datetime | None = None) -> Outlook:
    """The outlook of the newest of these drills."""
    last = max(drills, key=lambda one: one.started_at)
    return outlook_of(series_of(drills, last), now or last.started_at)


def missed(drills: list[PastDrill]) -> Forecast:
    """The forecast of these drills."""
    found = outlook(drills).missed
    assert found is not None
    return found


def width(forecast: Forecast) -> timedelta:
    """The length of the interval; what is beyond the horizon counts as the horizon."""
    earliest = forecast.earliest or forecast.horizon
    return (forecast.latest or forecast.horizon) - earliest


def test_a_growing_restore_misses_its_rto_on_a_day() -> None:
    """From 600 s by 5 s a day to 900 s: in 60 days."""
    found = missed(nights(per_day=5.0))

    assert found.likely is not None
    assert abs(found.likely - (NOW + 60 * DAY)) < timedelta(minutes=1)
    assert width(found) < DAY
    assert forecast_words(found).startswith("missed about 2026-08-14")


def test_a_date_lies_within_an_interval() -> None:
    """Noise moves both ends, and the early one is the one to plan by."""
    found = missed(nights(per_day=5.0, noise=4.0))

    assert found.earliest is not None
    assert found.likely is not None
    assert found.latest is not None
    assert found.earliest < found.likely - DAY
    assert found.latest > found.likely + DAY


@pytest.mark.parametrize("per_day", [0.0, -4.0])
def test_a_flat_or_falling_one_has_no_date(per_day: float) -> None:
    """Not a date in a thousand years."""
    found = missed(nights(per_day=per_day))

    assert (found.earliest, found.likely, found.latest) == (None, None, None)
    assert forecast_words(found) == "no date in sight up to 2026-09-01"


def test_noise_without_growth_has_no_date_either() -> None:
    """The words say what the noise hides."""
    found = outlook(nights(noise=5.0))

    assert found.missed is not None
    assert found.missed.likely is None
    assert "none that the noise allows to see" in dict(outlook_lines(found))["Trend"]


def test_one_that_is_missed_already() -> None:
    """No date is needed."""
    found = missed(nights(per_day=2.0, base=950.0))

    assert forecast_words(found) == "missed now already"


def test_no_date_lies_further_ahead_than_the_history_shows() -> None:
    """40 nights say nothing of next year."""
    found = missed(nights(per_day=1.0))

    assert found.likely is None
    assert found.horizon == NOW + 78 * DAY


@pytest.mark.parametrize(
    ("drills", "told"),
    [
        (nights(7), "not enough history: 7 drills in 6 days, of at least 8 in 14 days"),
        (nights(14), "not enough history: 14 drills in 13 days, of at least 8 in 14 days"),
        (nights(1), "not enough history: 1 drill in 0 days, of at least 8 in 14 days"),
        ([drill(30 * ago) for ago in range(7)], "not enough history: 7 drills in 180 days"),
        (nights(15), ""),
        ([drill(2 * ago) for ago in range(8)], ""),
    ],
)
def test_too_few_drills_show_nothing(drills: list[PastDrill], told: str) -> None:
    """The rule is 8 drills in 14 days."""
    found = outlook(drills)

    assert found.not_enough.startswith(told)
    assert bool(found.not_enough) == bool(told)
    assert (found.seconds is None) == bool(told)
    assert (found.missed is None) == bool(told)


def test_one_freak_drill_moves_nothing() -> None:
    """A neighbour took the disk for a night."""
    drills = nights(per_day=5.0)
    likely = missed(drills).likely
    drills[20] = drill(19, 5000.0)

    moved = missed(drills).likely

    assert likely is not None
    assert moved is not None
    assert abs(moved - likely) < DAY


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"server_version": "PostgreSQL 16.9 on x86_64"}, "server was 16.9"),
        ({"sandbox": "docker, storage volume"}, "sandbox was docker, storage volume"),
        ({"confinement": "none"}, "confinement was none, and is Landlock"),
        ({"machine": "aarch64, 2 CPUs"}, "machine was aarch64, 2 CPUs, and is x86_64"),
        ({"definition": "onto a kept directory"}, "definition was onto a kept directory"),
        ({"source_type": "basebackup"}, "type was basebackup, and is pgbackrest"),
    ],
)
def test_a_change_of_surroundings_begins_a_new_series(changes: dict[str, Any], told: str) -> None:
    """Slow drills of another machine are no trend."""
    before = [drill(ago, 6000.0, **changes) for ago in range(30, 60)]

    found = outlook([*before, *nights(30, per_day=5.0)])

    assert found.drills == 30
    assert told in found.began
    assert found.seconds is not None
    assert found.seconds.per_day == pytest.approx(5.0)


def test_other_sources_targets_and_broken_restores_are_no_part_of_it() -> None:
    """Nor is what is older than 400 days."""
    others = [
        *(replace(drill(ago, 60.0), source="crm") for ago in range(40)),
        *(drill(ago, 60.0, target="immediate") for ago in range(40)),
        *(drill(ago, None, verdict=Verdict.FAILED) for ago in range(40)),
        *(drill(400 + ago, 60.0) for ago in range(1, 40)),
    ]

    assert outlook([*nights(per_day=5.0), *others]) == outlook(nights(per_day=5.0))


def test_a_restore_time_that_is_not_judged_has_no_forecast() -> None:
    """Onto a kept directory it is not that of a disaster."""
    untimed = PastObjective(judgement=ObjectiveStatus.NOT_MEASURED, objective_seconds=900.0)

    found = outlook([replace(one, rto=untimed) for one in nights(per_day=5.0)])

    assert found.seconds is not None
    assert (found.rto_seconds, found.missed) == (None, None)


def test_targets_that_move_are_one_kind() -> None:
    """Each night asks for another time."""
    drills = [drill(ago, target=f"time:2026-05-{ago + 1:02}T00:00:00+00:00") for ago in range(20)]

    assert outlook(drills).drills == 20
    assert len(newest([entry(one) for one in drills])) == 1


def weeks(number: int = 6, per_day: float = 0.0) -> list[PastDrill]:
    """A full backup each Sunday, incremental ones that take 20 s more for each day since."""
    return [
        drill(
            ago,
            600.0 + per_day * (7 * number - ago) + (150.0 if weekday else 0.0) + 20.0 * weekday,
            kind="incremental" if weekday else "full",
            replay=60.0 + 20.0 * weekday,
        )
        for ago in reversed(range(7 * number))
        for weekday in [(7 * number - 1 - ago) % 7]
    ]


def test_the_cycle_of_backups_is_no_trend() -> None:
    """The saw's teeth are the kinds of backup and the WAL since."""
    found = outlook(weeks())

    assert found.seconds is not None
    assert found.seconds.low <= 0 <= found.seconds.high
    assert abs(found.seconds.per_day) < 0.5


def test_the_worst_moment_is_before_the_next_full_backup() -> None:
    """The longest chain with most WAL: Saturday takes 600 + 150 + 120 s."""
    found = outlook(weeks())

    assert found.worst_kind == "incremental"
    assert found.worst_seconds == pytest.approx(870.0, abs=5.0)
    assert found.typical_seconds is not None
    assert found.typical_seconds < 830.0


def test_the_worst_moment_misses_the_rto_first() -> None:
    """The on-call has no choice of the day."""
    found = outlook(weeks(per_day=1.0))

    assert found.missed is not None
    assert found.missed_at_worst is not None
    usual, worst = found.missed.likely, found.missed_at_worst.likely
    assert worst is not None
    assert usual is None or worst < usual


def test_a_dump_has_no_replay() -> None:
    """Then the worst moment is any."""
    found = outlook([drill(ago, kind="logical", replay=0.0, wal_bytes=None) for ago in range(20)])

    assert found.worst_seconds == found.typical_seconds == 600.0


def test_the_trend_names_phase_and_size() -> None:
    """Where the time goes, and that the data grew."""
    size = 40 * 1024**3
    drills = [
        drill(ago, 600.0 - 5.0 * ago, restored_bytes=size - ago * 1024**3 // 7) for ago in range(40)
    ]

    lines = dict(outlook_lines(outlook(drills)))

    assert "of it fetch +35.0 s" in lines["Trend"]
    assert "replay" not in lines["Trend"]
    assert lines["Restored size"].startswith("+1.00 GiB")


def test_many_drills_are_thinned_and_the_newest_stays() -> None:
    """All pairs of ten thousand would take minutes."""
    found = series_of([drill(ago / 24) for ago in range(9000)], drill(0.0))

    assert len(found.points) <= 201
    assert found.points[-1].at == NOW


seconds = st.lists(st.floats(100.0, 1000.0), min_size=15, max_size=40)


@settings(max_examples=40, deadline=None)
@given(seconds, st.integers(-4000, 4000), st.randoms(use_true_random=False))
def test_a_shift_in_time_shifts_the_dates_and_the_order_is_irrelevant(
    times: list[float], shift: int, random: Random
) -> None:
    """Files of an object store come in any order, and the figures know no calendar."""
    drills = [drill(ago, value) for ago, value in enumerate(times)]
    moved = [replace(one, started_at=one.started_at + shift * DAY) for one in drills]
    random.shuffle(moved)

    here, there = outlook(drills), outlook(moved)

    assert there.seconds == here.seconds
    for name in ("earliest", "likely", "latest", "horizon"):
        one, other = getattr(here.missed, name), getattr(there.missed, name)
        assert (None if one is None else one + shift * DAY) == other


@settings(max_examples=40, deadline=None)
@given(st.floats(2.0, 8.0), st.floats(0.5, 4.0), st.floats(1.5, 6.0))
def test_noise_widens_the_interval(per_day: float, noise: float, factor: float) -> None:
    """And never narrows it."""
    quiet = missed(nights(per_day=per_day, noise=noise))
    loud = missed(nights(per_day=per_day, noise=noise * factor))

    assert width(loud) >= width(quiet) >= width(missed(nights(per_day=per_day)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-400, 0), st.floats(0, 1e5)), min_size=2, max_size=40))
def test_a_slope_lies_in_its_interval(points: list[tuple[int, float]]) -> None:
    """Whatever the points are."""
    found = slope_of({"": [(float(x), y) for x, y in points]})

    if len({x for x, _ in points}) == 1:
        assert found is None
    else:
        assert found is not None
        assert found.low <= found.per_day <= found.high
        assert all(map(math.isfinite, (found.low, found.high)))


def test_the_interval_holds_the_true_slope() -> None:
    """In about 95 of 100 made histories."""
    random = Random(15)  # noqa: S311 - noise of a test, the same each time
    held = 0
    for _ in range(200):
        points = [(float(-ago), 5.0 * -ago + random.gauss(0.0, 40.0)) for ago in range(30)]
        found = slope_of({"": points})
        assert found is not None
        held += found.low <= 5.0 <= found.high

    assert 180 <= held <= 199
