"""Values that everything else rests on: positions, verdicts, objectives, errors, secrets, phases."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta

import pytest

from pytest_pgrestore.model import errors
from pytest_pgrestore.model.evidence import (
    AssertionOutcome,
    Check,
    DrillRecord,
    Evidence,
    Failure,
    ObjectiveResult,
    Teardown,
)
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.model.objectives import ObjectiveStatus, judge
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.model.stopwatch import Stopwatch
from pytest_pgrestore.model.verdict import Verdict, worst
from pytest_pgrestore.model.wal import Lsn, Segment, is_segment_name

MIB = 1024 * 1024
NOW = datetime(2026, 6, 15, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0/0", "0/16B3748", "16/B374D848", "FFFFFFFF/FFFFFFFF"])
def test_a_position_prints_as_postgresql_writes_it(text: str) -> None:
    """It is compared with what the server answers."""
    assert str(Lsn.parse(text)) == text


@pytest.mark.parametrize("size", [1 * MIB, 16 * MIB, 1024 * MIB])
@pytest.mark.parametrize("number", [0, 1, 255, 256, 4095, 70_000])
def test_a_segment_name_is_read_as_it_is_written(size: int, number: int) -> None:
    """The digits depend on the segment size, which production may have changed."""
    segment = Segment(3, number)

    assert Segment.parse(segment.file_name(size), size) == segment


def test_segment_names_match_postgresql() -> None:
    """Checked against pg_walfile_name: 1/2000028 with 16 MiB segments on timeline 1."""
    assert (
        Segment.holding(Lsn.parse("1/2000028"), 1, 16 * MIB).file_name(16 * MIB)
        == "000000010000000100000002"
    )


@pytest.mark.parametrize(
    "name", ["000000010000000100000002.partial", "00000002.history", "foo", "g" * 24]
)
def test_other_files_of_an_archive_are_not_segments(name: str) -> None:
    """Staging one of them would end recovery early."""
    assert not is_segment_name(name)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([], Verdict.COULD_NOT_VERIFY),
        ([Verdict.SKIPPED], Verdict.COULD_NOT_VERIFY),
        ([Verdict.PASSED, Verdict.SKIPPED], Verdict.PASSED),
        ([Verdict.PASSED, Verdict.COULD_NOT_VERIFY], Verdict.COULD_NOT_VERIFY),
        ([Verdict.COULD_NOT_VERIFY, Verdict.FAILED], Verdict.FAILED),
    ],
)
def test_the_worst_verdict_speaks_for_all(found: list[Verdict], verdict: Verdict) -> None:
    """Nothing learned is never green, and bad news beats no news."""
    assert worst(found) is verdict


@pytest.mark.parametrize(
    ("measured", "objective", "judgement"),
    [
        (5, None, ObjectiveStatus.NOT_SET),
        (None, None, ObjectiveStatus.NOT_SET),
        (None, 5, ObjectiveStatus.NOT_MEASURED),
        (5, 5, ObjectiveStatus.MET),
        (6, 5, ObjectiveStatus.MISSED),
        (0, 0, ObjectiveStatus.MET),
    ],
)
def test_an_objective_is_judged(
    measured: int | None, objective: int | None, judgement: ObjectiveStatus
) -> None:
    """Not measured is not zero, and equal is met."""
    given = [None if value is None else timedelta(seconds=value) for value in (measured, objective)]

    assert judge(*given) is judgement


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (errors.BackupNotRestorable, Verdict.FAILED),
        (errors.TargetUnreachable, Verdict.FAILED),
        (errors.HarnessError, Verdict.COULD_NOT_VERIFY),
        (errors.ConfigError, Verdict.COULD_NOT_VERIFY),
    ],
)
def test_an_error_knows_who_is_to_blame_and_crosses_processes(
    kind: type[errors.PgRestoreError], verdict: Verdict
) -> None:
    """Under xdist errors are pickled; a class that cannot be rebuilt hides the cause."""
    copy = pickle.loads(pickle.dumps(kind("disk full", hint="free it.")))  # noqa: S301 - our own bytes

    assert (str(copy), copy.verdict) == ("disk full\nHINT: free it.", verdict)


def test_a_secret_cannot_print_itself() -> None:
    """Reports, logs and --showlocals use these three."""
    secret = Secret("hunter2")

    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"


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


def record(**changes: object) -> DrillRecord:
    """Return a passed drill with `changes`."""
    unset = ObjectiveResult(name="rto", judgement=ObjectiveStatus.NOT_SET, definition="")
    fields: dict[str, object] = {
        "drill": "shop@latest",
        "source": "shop",
        "source_type": "dump",
        "target": "latest",
        "started_at": NOW,
        "rto": unset,
        "rpo": unset,
        "assertions": (
            AssertionOutcome(name="t", verdict=Verdict.PASSED, message="", seconds=0.1),
        ),
    }
    return DrillRecord(**(fields | changes))  # type: ignore[arg-type]


MISSED = ObjectiveResult(name="rto", judgement=ObjectiveStatus.MISSED, definition="")
UNMEASURED = ObjectiveResult(name="rpo", judgement=ObjectiveStatus.NOT_MEASURED, definition="")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.PASSED),
        ({"assertions": ()}, Verdict.COULD_NOT_VERIFY),
        ({"rto": MISSED}, Verdict.FAILED),
        ({"rpo": UNMEASURED}, Verdict.COULD_NOT_VERIFY),
        ({"checks": (Check(name="c", verdict=Verdict.FAILED, message=""),)}, Verdict.FAILED),
        (
            {"failure": Failure(problem="p", hint="h", verdict=Verdict.FAILED, phase="fetch")},
            Verdict.FAILED,
        ),
        ({"teardown": Teardown(removed=False, message="left")}, Verdict.COULD_NOT_VERIFY),
    ],
)
def test_a_drill_is_as_good_as_its_worst_part(changes: dict[str, object], verdict: Verdict) -> None:
    """A missed objective fails the run by default, and data left behind is never green."""
    assert record(**changes).verdict() is verdict


def test_evidence_is_plain_json_with_its_verdicts() -> None:
    """The JSON is read by people and programs that do not have this package."""
    evidence = Evidence(
        run_id="r",
        plugin_version="0",
        started_at=NOW,
        ended_at=NOW,
        host="h",
        drills=(record(),),
        problems=("cut",),
    )

    document = json.loads(to_json(evidence))

    assert document["verdict"] == "could not verify"
    assert document["drills"][0]["verdict"] == "passed"
    assert document["started_at"] == "2026-06-15T14:30:00+00:00"
