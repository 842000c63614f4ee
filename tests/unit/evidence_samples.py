"""Evidence of realistic runs for tests of reports: healthy, failed, not verified, hostile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_pgrestore.model.evidence import (
    AssertionOutcome,
    BackupFacts,
    Check,
    DataLossFigures,
    DrillRecord,
    Evidence,
    Failure,
    ObjectiveResult,
    Phase,
    RecoveredTo,
    ServerFacts,
    Teardown,
)
from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.past import (
    ArchiverFigures,
    Coverage,
    DatabaseCoverage,
    Forecast,
    InventoryFacts,
    Outlook,
    PastTime,
    Slope,
    SourceCoverage,
)
from pytest_pgrestore.model.stopwatch import COUNTED
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore.judgement.objectives import RTO_DEFINITION

START = datetime(2026, 6, 15, 14, 30, tzinfo=UTC)

HOSTILE = (
    '<script>alert("x")</script>|`$a$`\ud800\x00\x1b[31m\u202e@all'
    " \u00fc\U0001f418 ]]> --> &amp;\r\n</style>"
)
"""Text that could break a report: markup, a lone surrogate, NUL, an escape code, a reversal."""


def phases(*timed: tuple[str, float], failed: str = "") -> tuple[Phase, ...]:
    """Return phases of these names and seconds."""
    return tuple(
        Phase(
            name=name,
            seconds=seconds,
            outcome="failed" if name == failed else "ok",
            counts_toward_rto=name in COUNTED,
            detail="214 files, 4.1 GiB" if name == "fetch" else "",
        )
        for name, seconds in timed
    )


def objective(
    name: str, judgement: ObjectiveStatus, limit: float | None, measured: float | None
) -> ObjectiveResult:
    """Return the result of an objective with the definition it has in a run."""
    by_commit = "start of the drill minus the time of the last commit recovered"
    return ObjectiveResult(
        name=name,
        judgement=judgement,
        definition=RTO_DEFINITION if name == "rto" else by_commit,
        objective_seconds=limit,
        measured_seconds=measured,
    )


def server() -> ServerFacts:
    """Return what a quarantined server answers."""
    return ServerFacts(
        version="PostgreSQL 15.14 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit",
        binaries="/usr/lib/postgresql/15/bin",
        sandbox="local, as user nobody",
        system_identifier="7301234567890123456",
        network="a network namespace of its own, without any interface",
        settings={
            "archive_mode": "off",
            "listen_addresses": "",
            "fsync": "on",
            "shared_buffers": "128MB",
        },
        speedups=("autovacuum=off",),
    )


def healthy_pitr(**changes: Any) -> DrillRecord:
    """Return a passed drill of a base backup to a point in time."""
    return replace(
        DrillRecord(
            drill="shop@time:2026-06-15T14:05:00+00:00",
            source="shop",
            source_type="basebackup",
            target="time:2026-06-15T14:05:00+00:00",
            started_at=START,
            ended_at=START + timedelta(minutes=14),
            database="shop",
            backup=BackupFacts(
                label="20260615T020000",
                location="/backups/shop/20260615T020000",
                form="tar.zst",
                kind="full",
                selection="newest of 3 that end before the target",
                server_major=15,
                started_at=START.replace(hour=2, minute=0),
                stopped_at=START.replace(hour=2, minute=7),
                start_lsn="1/2000028",
                stop_lsn="1/2000138",
                timeline=1,
                system_identifier="7301234567890123456",
                size_bytes=4_402_341_478,
            ),
            phases=phases(
                ("locate", 0.214),
                ("provision", 0.052),
                ("fetch", 402.117),
                ("verify", 61.4),
                ("configure", 9.031),
                ("start", 1.72),
                ("replay", 309.9),
                ("promote", 0.611),
                ("ready", 0.021),
            ),
            recovered_to=RecoveredTo(
                lsn="1/9A4F1D8",
                last_commit_at=START.replace(hour=14, minute=4, second=59, microsecond=871_000),
                last_commit_xid=741,
                timeline=2,
                reason="recovery stopping before commit of transaction 742,"
                " time 2026-06-15 14:05:01.2+00",
                archive_end_lsn="1/C000000",
            ),
            rto=objective("rto", ObjectiveStatus.MET, 900.0, 723.4),
            rpo=replace(
                objective("rpo", ObjectiveStatus.NOT_SET, 300.0, None),
                definition="not judged: the RPO is measured on drills to latest,"
                " from the start of the drill",
            ),
            data_loss=DataLossFigures(last_commit_seconds=1500.1, backup_age_seconds=44_580.0),
            checks=(
                Check(
                    name="target reached",
                    verdict=Verdict.PASSED,
                    message="asked for time:2026-06-15T14:05:00+00:00:"
                    " recovery stopping before commit of 742",
                    expected="time:2026-06-15T14:05:00+00:00",
                    observed="recovery stopping before commit of transaction 742",
                ),
                Check(
                    name="manifest",
                    verdict=Verdict.PASSED,
                    message="214 files verified",
                    seconds=61.4,
                ),
                Check(
                    name="quarantine",
                    verdict=Verdict.PASSED,
                    message="31 settings asked from the server",
                ),
                Check(
                    name="page checksums",
                    verdict=Verdict.SKIPPED,
                    message="the cluster was made without checksums",
                ),
            ),
            checks_planned=("restored", "target reached", "quarantine", "manifest", "rto"),
            assertions=assertions(12),
            server=server(),
            not_checked=("The RPO: it is measured on drills to latest.",),
            notes=("2 unlogged tables are empty: recovery never brings them back",),
            logs=("logs/shop-1/server.log",),
            teardown=Teardown(
                removed=True, message="no process, no memory segment, no file", at=START
            ),
        ),
        **changes,
    )


def healthy_dump(**changes: Any) -> DrillRecord:
    """Return a passed drill of a dump."""
    return replace(
        DrillRecord(
            drill="crm@latest",
            source="crm",
            source_type="dump",
            target="latest",
            started_at=START,
            ended_at=START + timedelta(seconds=9),
            database="crm",
            backup=BackupFacts(
                label="crm-20260615.dump",
                location="/backups/crm/crm-20260615.dump",
                form="custom",
                kind="logical",
                selection="newest of 7",
                server_major=15,
                started_at=START - timedelta(minutes=4),
                size_bytes=812_113,
            ),
            phases=phases(
                ("locate", 0.01),
                ("provision", 2.41),
                ("start", 0.31),
                ("fetch", 3.6),
                ("ready", 0.09),
            ),
            rto=objective("rto", ObjectiveStatus.MET, 1800.0, 4.0),
            rpo=replace(
                objective("rpo", ObjectiveStatus.MET, 300.0, 240.0),
                definition="start of the drill minus the moment the dump's data is of",
            ),
            data_loss=DataLossFigures(last_commit_seconds=240.0),
            checks=(
                Check(
                    name="contents", verdict=Verdict.PASSED, message="31 of 31 objects are there"
                ),
            ),
            assertions=assertions(3),
            server=server(),
            teardown=Teardown(
                removed=True, message="no process, no memory segment, no file", at=START
            ),
        ),
        **changes,
    )


def failed(**changes: Any) -> DrillRecord:
    """Return a drill whose backup is bad: the restore broke off in replay."""
    broken = healthy_pitr(
        drill="shop@latest",
        target="latest",
        phases=phases(
            ("locate", 0.2), ("fetch", 402.0), ("configure", 9.0), ("replay", 12.5), failed="replay"
        ),
        recovered_to=None,
        rto=objective("rto", ObjectiveStatus.NOT_MEASURED, 900.0, None),
        rpo=objective("rpo", ObjectiveStatus.NOT_MEASURED, 300.0, None),
        data_loss=DataLossFigures(),
        checks=(),
        checks_planned=("restored", "target reached", "quarantine", "rto", "rpo"),
        assertions=(
            AssertionOutcome(
                name="tests/test_shop.py::test_orders",
                verdict=Verdict.COULD_NOT_VERIFY,
                message="not measured: the restore did not come up",
                seconds=0.0,
                file="tests/test_shop.py",
                line=12,
            ),
        ),
        failure=Failure(
            problem="the archive has a hole: segment 000000010000000100000004 is missing",
            hint="find out why it was not archived, and take a new base backup.",
            verdict=Verdict.FAILED,
            phase="replay",
        ),
        server=None,
    )
    return replace(broken, **changes)


def bad_data(**changes: Any) -> DrillRecord:
    """Return a drill that came up in more time than allowed, with rows missing."""
    broken = healthy_dump(
        drill="crm@latest timeline=2",
        rto=objective("rto", ObjectiveStatus.MISSED, 3.0, 4.0),
        assertions=(
            *assertions(40),
            AssertionOutcome(
                name="tests/test_crm.py::test_no_order_without_a_customer",
                verdict=Verdict.FAILED,
                message="AssertionError\ntests/test_crm.py:31: assert rows == []",
                seconds=0.118,
                file="tests/test_crm.py",
                line=29,
            ),
            AssertionOutcome(
                name="tests/test_crm.py::test_mail",
                verdict=Verdict.SKIPPED,
                message="mail is not part of this backup",
                seconds=0.0,
                file="tests/test_crm.py",
                line=40,
            ),
        ),
    )
    return replace(broken, **changes)


def could_not_verify(**changes: Any) -> DrillRecord:
    """Return a drill that never began: no server programs of the right major."""
    return replace(
        DrillRecord(
            drill="billing@latest",
            source="billing",
            source_type="basebackup",
            target="latest",
            started_at=START,
            ended_at=START,
            rto=objective("rto", ObjectiveStatus.NOT_MEASURED, 600.0, None),
            rpo=objective("rpo", ObjectiveStatus.NOT_SET, None, None),
            failure=Failure(
                problem="no PostgreSQL 14 found; looked in /usr/lib/postgresql",
                hint="install postgresql-14 or set --pgrestore-bindir.",
                verdict=Verdict.COULD_NOT_VERIFY,
                phase="locate",
            ),
        ),
        **changes,
    )


def assertions(number: int) -> tuple[AssertionOutcome, ...]:
    """Return passed assertions."""
    return tuple(
        AssertionOutcome(
            name=f"tests/test_shop.py::test_table[{index}]",
            verdict=Verdict.PASSED,
            message="",
            seconds=0.004,
            file="tests/test_shop.py",
            line=10 + index,
        )
        for index in range(number)
    )


def hostile(bad: str = HOSTILE) -> DrillRecord:
    """Return a drill in which every text is `bad`."""
    return healthy_pitr(
        drill=f"{bad}@latest",
        source=bad,
        source_type=bad,
        target="latest",
        database=bad,
        timeline_asked=bad,
        backup=BackupFacts(
            label=bad, location=bad, form=bad, kind=bad, selection=bad, chain=(bad,)
        ),
        recovered_to=RecoveredTo(lsn=bad, reason=bad),
        rto=replace(objective("rto", ObjectiveStatus.MET, 900.0, 1.0), definition=bad),
        rpo=replace(objective("rpo", ObjectiveStatus.MISSED, 1.0, 2.0), definition=bad),
        phases=(Phase(name=bad, seconds=1.0, outcome=bad, counts_toward_rto=True, detail=bad),),
        checks=(Check(name=bad, verdict=Verdict.FAILED, message=bad, expected=bad, observed=bad),),
        checks_planned=(f"planned {bad}",),
        assertions=(
            AssertionOutcome(
                name=bad, verdict=Verdict.FAILED, message=bad, seconds=0.1, file=bad, line=1
            ),
            AssertionOutcome(
                name=bad, verdict=Verdict.PASSED, message=bad, seconds=0.1, file=bad, line=1
            ),
        ),
        server=ServerFacts(
            version=bad, binaries=bad, sandbox=bad, settings={bad: bad}, speedups=(bad,)
        ),
        not_checked=(bad,),
        notes=(bad,),
        logs=(bad,),
        teardown=Teardown(removed=False, message=bad),
    )


def run(*drills: DrillRecord, problems: tuple[str, ...] = (), **changes: Any) -> Evidence:
    """Return the evidence of a run of `drills`."""
    return replace(
        Evidence(
            run_id="3f9c1a7be02d",
            plugin_version="0.1.0",
            started_at=START,
            ended_at=START + timedelta(minutes=15),
            host="ci-runner-7",
            environment={"python": "3.11.2", "pytest": "9.2.0", "platform": "linux"},
            drills=drills,
            problems=problems,
        ),
        **changes,
    )


def strict_problem() -> Evidence:
    """Return a run that is not green although no drill says so."""
    return run(
        healthy_dump(assertions=()),
        problems=("drill crm@latest has no assertion that ran", "the run was interrupted: SIGTERM"),
    )


def with_history(bad: str = "crm") -> Evidence:
    """Return a run with a history, a warning of each kind, a coverage, and `bad` names in it."""
    forecast = Forecast(
        asked_at=START,
        horizon=START + timedelta(days=80),
        earliest=START + timedelta(days=30),
        likely=START + timedelta(days=45),
    )
    outlook = Outlook(
        drills=40,
        since=START - timedelta(days=40),
        began=f"server was {bad}",
        times=tuple(
            PastTime(
                at=START - timedelta(days=day),
                seconds=720.0 - day,
                verdict=Verdict.FAILED if day == 3 else Verdict.PASSED,
            )
            for day in range(5, -1, -1)
        ),
        usual_seconds=400.0,
        comparable=10,
        seconds=Slope(per_day=1.0, low=0.5, high=1.5),
        phases={"fetch": 1.0, bad: 0.5},
        size_bytes=Slope(per_day=2.0**30, low=0.0, high=2.0**31),
        seconds_per_gib=18.0,
        typical_seconds=720.0,
        worst_seconds=800.0,
        worst_kind=bad,
        rto_seconds=900.0,
        missed=forecast,
        missed_at_worst=replace(forecast, latest=forecast.likely),
    )
    record = healthy_pitr(
        outlook=outlook,
        databases=("shop", bad),
        restored_bytes=43_000_000_000,
        archiver=ArchiverFigures(failed_count=2, stats_reset=START, problem=bad),
    )
    slow = Check(
        name="slower than usual",
        verdict=Verdict.WARNING,
        message=f"the restore took 12 min, and the last 10 took 7 min; {bad}",
    )
    coverage = Coverage(
        full=True,
        days=30.0,
        sources=(
            SourceCoverage(
                source="shop",
                drills=1,
                green=1,
                past_drills=3,
                past_green=3,
                last_green_at=START,
                databases=(
                    DatabaseCoverage(name="shop", assertions=12, last_asserted_at=START),
                    DatabaseCoverage(name=bad, assertions=0),
                ),
            ),
            SourceCoverage(
                source=bad,
                drills=0,
                green=0,
                past_drills=0,
                past_green=0,
                every_seconds=86_400.0,
                overdue=True,
            ),
        ),
        inventory=InventoryFacts(
            origin="file clusters.txt", listed=3, uncovered=(f"{bad}/audit",), unlisted=(bad,)
        ),
    )
    return run(replace(record, checks=(*record.checks, slow)), coverage=coverage)


SAMPLES: dict[str, Evidence] = {
    "history": with_history(),
    "hostile history": with_history(HOSTILE),
    "healthy dump": run(healthy_dump()),
    "healthy pitr": run(healthy_pitr()),
    "failed": run(failed(), healthy_dump()),
    "bad data": run(bad_data()),
    "could not verify": run(could_not_verify()),
    "strict problem": strict_problem(),
    "hostile": run(hostile(), problems=(HOSTILE,), host=HOSTILE, environment={HOSTILE: HOSTILE}),
    "empty": run(),
    "nothing but a restore": run(
        healthy_dump(
            checks=(),
            assertions=(),
            rto=objective("rto", ObjectiveStatus.NOT_SET, None, 4.0),
            rpo=objective("rpo", ObjectiveStatus.NOT_SET, None, None),
        )
    ),
    "everything": run(
        healthy_pitr(),
        bad_data(),
        failed(),
        could_not_verify(),
        problems=("the run was interrupted: SIGTERM",),
        undrilled=("crm", "shop.offsite"),
    ),
}
"""Every kind of run, by name."""

every_sample = pytest.mark.parametrize("evidence", SAMPLES.values(), ids=SAMPLES.keys())
"""Runs a test once for each of the samples."""
