"""Why a drill is due: what changed since its last green one. The clock is an argument."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from pytest_pgrestore.history.entry import PastDrill, past_drill
from pytest_pgrestore.history.reasons import (
    Drilled,
    differences,
    is_same,
    left_out,
    proof_of,
    reasons_ahead,
    reasons_of,
)
from pytest_pgrestore.model.drill import NextRestore
from pytest_pgrestore.model.evidence import AssertionOutcome, BackupFacts, DrillRecord
from pytest_pgrestore.model.verdict import Verdict
from tests.unit.evidence_samples import failed, healthy_pitr

DAY = timedelta(days=1)
SETTINGS = {"path": "1", "sandbox.image": "2"}
RECORD = replace(healthy_pitr(), settings=SETTINGS, tests="t1")
BEGAN = RECORD.started_at
assert RECORD.backup is not None
BACKUP: BackupFacts = RECORD.backup
AHEAD = NextRestore(backup=BACKUP, archive_end_lsn=None, server_version="15.14")


def past(days: float, record: DrillRecord = RECORD, **changes: Any) -> Drilled:
    """A drill that many days after the first."""
    at = BEGAN + timedelta(days=days)
    return Drilled(f"run{days}", past_drill(replace(record, started_at=at, **changes)))


def due(*drills: Drilled, days: float, **changes: Any) -> list[str]:
    """Why a drill is due after these."""
    known: dict[str, Any] = {"every": 30 * DAY, "settings": SETTINGS, "tests": "t1"} | changes
    return reasons_of(drills, now=BEGAN + timedelta(days=days), **known)


def test_nothing_changed_is_not_due() -> None:
    """A day before it expires, and also with the zone of another machine."""
    assert due(past(0), days=29) == []
    assert (
        reasons_of(
            [past(0)],
            every=30 * DAY,
            now=(BEGAN + 29 * DAY).astimezone(UTC),
            settings=SETTINGS,
            tests="t1",
        )
        == []
    )


@pytest.mark.parametrize(
    ("drills", "changes", "reason"),
    [
        ([], {}, "it was never drilled"),
        ([past(0, failed())], {}, "its last drill was failed: "),
        ([past(0), past(1, failed())], {}, "its last drill was failed: "),
        ([past(0), past(1, failed()), past(2, tests="half")], {}, "its last drill was failed: "),
        ([past(0, assertions=())], {}, "it was never proven: no assertion ran"),
        ([past(-30)], {}, "its last green drill was 32 d ago, and every is 30 d"),
        ([past(5)], {}, "its last green drill was at 2026-06-20 14:30:00 UTC, which is in the fu"),
        ([past(0, tests="other")], {}, "its tests changed since its last green drill"),
        ([past(0, tests=None)], {}, "its last green drill does not tell which tests it had"),
        ([past(0, settings={})], {}, "its last green drill does not tell which settings it had"),
        (
            [past(0)],
            {"settings": {"path": "9", "jobs": "1"}},
            "its settings changed since its last green drill: jobs, path, sandbox.image",
        ),
        (
            [past(0)],
            {"settings": {str(number): "1" for number in range(9)}},
            "its settings changed since its last green drill: 0, 1, 2, 3, 4 and 6 more",
        ),
    ],
)
def test_a_drill_is_due_for_one_reason(
    drills: list[Drilled], changes: dict[str, Any], reason: str
) -> None:
    """On the third day."""
    (found,) = due(*drills, days=2, **changes)

    assert found.startswith(reason)


def test_a_run_with_fewer_tests_does_not_replace_the_proof() -> None:
    """Somebody ran one test with -k: the whole was proven before, and still is."""
    drills = past(0), past(3, tests="one of them")

    assert due(*drills, days=4) == []
    proof = proof_of(drills, "t1")
    assert proof is not None
    assert proof.run == "run0"
    assert due(*drills, days=30) == ["its last green drill was 30 d ago, and every is 30 d"]


def test_a_green_drill_ends_a_red_one() -> None:
    """What was mended is proven."""
    assert due(past(0, failed()), past(1), days=2) == []


def ahead(proof: PastDrill | None = None, every: Any = 30 * DAY, **changes: Any) -> list[str]:
    """Why a drill is due by what it would restore."""
    before = proof or past(0).drill
    return reasons_ahead(before, replace(AHEAD, **changes), [before], every)


def changed(**changes: Any) -> dict[str, Any]:
    """Another backup."""
    return {"backup": replace(BACKUP, **changes)}


NEWER = changed(label="20260616T020000", stopped_at=BACKUP.stopped_at and BACKUP.stopped_at + DAY)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        (NEWER, []),
        ({"server_version": "15.15"}, ["the server here is 15.15, and was 15.14"]),
        ({"server_version": ""}, ["the server here is not known, and was 15.14"]),
        (changed(server_major=16), ["the backup is of PostgreSQL 16, and was of 15"]),
        (
            changed(restored_by="pgBackRest 2.46, this machine"),
            ["the backup tool here is pgBackRest 2.46, and was none"],
        ),
        (
            changed(kind="incremental"),
            ["no backup of this kind was drilled yet: incremental, tar.zst (20260615T020000)"],
        ),
        (
            changed(form="plain"),
            ["no backup of this kind was drilled yet: full, plain (20260615T020000)"],
        ),
        ({"worries": ("backup age: too old",)}, ["backup age: too old"]),
    ],
)
def test_what_would_be_restored_is_compared(changes: dict[str, Any], reasons: list[str]) -> None:
    """With `every`, a newer backup of the same kind can wait."""
    assert ahead(**changes) == reasons


def test_a_backup_of_another_cluster_is_due() -> None:
    """A repository made anew for another server has the old name, and may have the old labels."""
    proof = past_drill(replace(RECORD, backup=replace(BACKUP, system_identifier="1")))
    unknown = past_drill(replace(RECORD, backup=replace(BACKUP, system_identifier=None)))

    assert ahead(proof, **changed(system_identifier="1")) == []
    assert ahead(proof, **changed(system_identifier="2")) == [
        "the backup is of cluster 2, and was of 1"
    ]
    assert ahead(unknown, **changed(system_identifier="2")) == []


def test_where_the_tool_runs_is_no_version_of_it() -> None:
    """A container has another name each time."""
    record = replace(RECORD, backup=replace(BACKUP, restored_by="pgBackRest 2.45, container a1"))
    next_one = changed(restored_by="pgBackRest 2.45, container b2")

    assert ahead(past_drill(record), **next_one) == []


def test_without_an_interval_each_new_backup_is_due() -> None:
    """And the same one is not, whatever its age."""
    assert ahead(every=None) == []
    (reason,) = ahead(every=None, **NEWER)
    assert reason == (
        "what it would restore now, 20260616T020000, was not drilled yet, and its source has no"
        " every"
    )


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        (changed(size_bytes=1), False),
        (changed(label="other"), False),
        (changed(stopped_at=BEGAN), False),
        (changed(started_at=None, stopped_at=None), False),
        ({"archive_end_lsn": "1/C000000"}, True),
        ({"archive_end_lsn": "1/D000000"}, False),
    ],
)
def test_the_same_backup_is_told_by_more_than_its_name(change: dict[str, Any], same: bool) -> None:
    """A dump may be written again under its old name, and an archive grows."""
    assert is_same(past(0).drill, replace(AHEAD, **change)) is same


def test_what_is_left_out_names_its_proof() -> None:
    """Its run, its backup, and when it expires."""
    now = BEGAN + 3 * DAY
    same = left_out(past(0), AHEAD, 30 * DAY, now)
    newer = left_out(past(0), replace(AHEAD, **NEWER), None, now)

    assert same.why == (
        "unchanged since its last green drill, 3 d ago: backup, settings, tests, versions"
    )
    assert (same.proven_by, same.proven_at, same.backup) == ("run0", BEGAN, BACKUP.label)
    assert same.fresh_until == BEGAN + 30 * DAY
    assert (
        newer.why
        == "its last green drill was 3 d ago, and settings, tests and versions are the same"
    )
    assert newer.fresh_until is None


def test_what_only_the_restored_server_knows_is_told() -> None:
    """Extensions that were added, removed, or are of another version."""
    server = RECORD.server
    assert server is not None
    before = replace(server, extensions={"shop": {"postgis": "3.4", "pg_trgm": "1.6"}, "old": {}})
    after = replace(
        server,
        version="PostgreSQL 15.15 on x86_64-pc-linux-gnu",
        extensions={"shop": {"postgis": "3.5", "hstore": "1.8"}, "new": {"hstore": "1.8"}},
    )

    found = list(differences(past(0, server=before).drill, past(1, server=after).drill))

    assert found == [
        "the server is 15.15, and was 15.14",
        "extension hstore of database shop is 1.8, and was not there",
        "extension pg_trgm of database shop is not there, and was 1.6",
        "extension postgis of database shop is 3.5, and was 3.4",
    ]
    assert list(differences(past(0).drill, past(1).drill)) == []


def test_a_warning_is_a_proof() -> None:
    """Its author says that it does not fail a run."""
    outcome = AssertionOutcome(name="a", verdict=Verdict.WARNING, message="", seconds=0.1)
    record = replace(RECORD, assertions=(outcome,))

    assert record.is_proof()
    assert past_drill(record).is_proof()
    assert not replace(record, assertions=()).is_proof()
