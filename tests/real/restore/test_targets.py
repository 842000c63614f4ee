"""The table: kinds of target x source forms x majors, with exact rows on both sides of a point."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.objectives import Objectives, ObjectiveStatus
from pytest_pgrestore.model.target import AtName, AtXid
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.worlds import MAJORS, POINTS, Drilled, World, forms_of

Drilling = Callable[..., Drilled]
Worlds = Callable[[int], World]

TABLE = [
    (major, form, point)
    for major in MAJORS
    for form in forms_of(major)
    # A form is a matter of fetching, a point one of recovery. Every form is restored to `latest` in
    # test_basebackup_forms.py.
    for point in (POINTS if form == "plain" else ("time",))
]


def source(world: World, form: str = "plain", archive: Path | None = None) -> BasebackupSource:
    """Return the source of a world's backup."""
    return BasebackupSource("shop", str(world.backup(form)), wal=str(archive or world.archive))


@pytest.mark.parametrize(
    ("major", "form", "point"), TABLE, ids=[f"{m}-{f}-{p}" for m, f, p in TABLE]
)
def test_recovery_stops_exactly_there(
    worlds: Worlds, drill: Drilling, major: int, form: str, point: str
) -> None:
    """The row before the point is there, the row after it is not, and none is missing."""
    target, last = worlds(major).points[point]

    drilled = drill(source(worlds(major), form), target, database="shop")

    assert drilled.rows() == last
    assert drilled.verdict_of("target reached") == "passed"
    assert drilled.verdict_of("quarantine") == "passed"
    assert drilled.verdict_of("manifest") == "passed"
    assert drilled.result.access is not None
    run_directory = Path(drilled.result.access.socket_directory).parents[2]
    location = drilled.ask(
        "select pg_tablespace_location(oid) from pg_tablespace where spcname = 'extra'"
    )
    assert run_directory in Path(location).parents


@pytest.mark.parametrize("major", MAJORS)
def test_a_restore_point_that_does_not_exist_is_named(
    worlds: Worlds, drill: Drilling, major: int
) -> None:
    """It never turns into latest, and the message says which points there are."""
    drilled = drill(source(worlds(major)), AtName("before_deploiment"), database="shop")

    assert drilled.result.access is None
    assert drilled.result.record.verdict() == "failed"
    assert "recovery ended before it reached name:before_deploiment" in drilled.cause
    assert "nearest reachable: name:before_deployment" in drilled.cause


def test_an_xid_that_never_was_is_named(worlds: Worlds, drill: Drilling) -> None:
    """The nearest commits are what the user wants next."""
    drilled = drill(source(worlds(18)), AtXid(4_000_000), database="shop")

    assert "nearest reachable: commit of" in drilled.cause


def test_objectives_are_judged_on_what_was_measured(worlds: Worlds, drill: Drilling) -> None:
    """An RTO of nothing is missed, an RPO of a day is met, and both figures are there."""
    objectives = Objectives(rto=timedelta(0), rpo=timedelta(days=1), max_age=timedelta(days=1))

    record = drill(source(worlds(18)), database="shop", objectives=objectives).result.record

    assert (record.rto.judgement, record.rpo.judgement) == (
        ObjectiveStatus.MISSED,
        ObjectiveStatus.MET,
    )
    assert record.verdict() == "failed"
    assert record.rto.measured_seconds == record.restore_seconds()
    assert {phase.name for phase in record.phases if phase.counts_toward_rto} == {
        "fetch",
        "configure",
        "start",
        "replay",
        "promote",
        "ready",
    }


@pytest.mark.parametrize(
    ("freshness", "judgement"),
    [
        ("select now() - interval '2 days'", ObjectiveStatus.MISSED),
        ("select now()", ObjectiveStatus.MET),
        ("select null::timestamptz", ObjectiveStatus.NOT_MEASURED),
    ],
    ids=["old row", "fresh row", "no row"],
)
def test_the_freshest_row_decides_the_rpo(
    worlds: Worlds, drill: Drilling, freshness: str, judgement: ObjectiveStatus
) -> None:
    """The heartbeat is what the business knows of its data."""
    objectives = Objectives(
        rpo=timedelta(seconds=0)
        if judgement is ObjectiveStatus.NOT_MEASURED
        else timedelta(hours=1)
    )

    record = drill(
        source(worlds(18)), database="shop", freshness=freshness, objectives=objectives
    ).result.record

    assert record.rpo.judgement is judgement
