"""Made histories: drills of any past, without a restore."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_pgrestore.history.entry import Entry, PastBackup, PastDrill, PastObjective
from pytest_pgrestore.history.surroundings import Surroundings
from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict

NOW = datetime(2026, 6, 15, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
GIB = 1024**3


def drill(days_ago: float, seconds: float | None = 600.0, **changes: Any) -> PastDrill:
    """A drill of `shop`: a full backup of 40 GiB, a minute of replay, an RTO of 15 minutes."""
    kind = changes.pop("kind", "full")
    replay = changes.pop("replay", 60.0)
    around: dict[str, Any] = {
        "machine": "x86_64, 8 CPUs, about 16 GiB",
        "confinement": "Landlock",
        "wal_bytes": round(replay * 16 * 1024**2),
        "restored_bytes": 40 * GIB,
    }
    around |= {name: changes.pop(name) for name in tuple(changes) if name in _AROUND}
    rto = changes.pop("rto", 900.0)
    made = PastDrill(
        drill="shop@latest",
        source="shop",
        source_type="pgbackrest",
        target="latest",
        started_at=NOW - days_ago * DAY,
        verdict=Verdict.PASSED,
        restore_seconds=seconds,
        phases={"locate": 1.0, "fetch": (seconds or 0.0) - replay, "replay": replay},
        rto=PastObjective(judgement=ObjectiveStatus.MET, objective_seconds=rto),
        rpo=PastObjective(judgement=ObjectiveStatus.NOT_SET),
        backup=PastBackup(label="20260615-020000F", kind=kind, form="pgbackrest"),
        assertions={"passed": 3},
        server_version="PostgreSQL 17.5 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit",
        sandbox="local, as user nobody",
        surroundings=Surroundings(**around),
    )
    return replace(made, **changes)


_AROUND = (
    "machine",
    "confinement",
    "definition",
    "wal_bytes",
    "restored_bytes",
    "databases",
    "archiver",
)


def entry(*drills: PastDrill) -> Entry:
    """A run of these drills."""
    at = drills[0].started_at
    return Entry(
        evidence_sha256="0" * 64,
        run_id=f"run{at:%Y%m%d%H%M}",
        plugin_version="0.1.0",
        host="ci",
        started_at=at,
        ended_at=at + timedelta(minutes=30),
        verdict=Verdict.PASSED,
        drills=drills,
    )
