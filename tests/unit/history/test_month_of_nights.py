"""A month of nights: the clock is a number of days, and each night is decided by the real code.

Every night the runner looks at the history, drills what is due, and adds its run. The evidence is
made; a drill of the real kind takes seconds.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.cli.status import show_status
from pytest_pgrestore.history.decision import Wanted, decide
from pytest_pgrestore.history.forecast import outlook_of
from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.series import series_of
from pytest_pgrestore.history.store import DirectoryStore
from pytest_pgrestore.model.drill import NextRestore
from pytest_pgrestore.model.evidence import BackupFacts, LeftOut, Phase
from pytest_pgrestore.session.digests import digests_of_source
from pytest_pgrestore.settings.read_file import load_config
from pytest_pgrestore.sources.registry import SOURCE_TABLES
from tests.unit.evidence_samples import failed, healthy_pitr, run

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pytest_pgrestore.model.past import Outlook

DAY = timedelta(days=1)
FIRST = healthy_pitr().started_at
SHOP = "shop@latest"


class Nights:
    """One runner, one source, one history.

    Attributes:
        every: Interval of the source.
        server: Version of the server's programs on the runner.
        major: Of production.
        tool: On the runner.
        keys: More keys of the source.
        frozen: The last backup, if production makes none any more.
        red: Whether the backup is bad.
    """

    def __init__(self, directory: Path, every: timedelta | None) -> None:
        self.directory = directory
        self.ledger = Ledger(DirectoryStore(directory / "past"))
        self.every = every
        self.server, self.major, self.tool = "15.14", 15, "pgBackRest 2.45"
        self.keys = ""
        self.frozen: BackupFacts | None = None
        self.red = False

    @property
    def file(self) -> Path:
        """The settings file, as it is tonight."""
        every = f'every = "{self.every.days}d"' if self.every is not None else ""
        shop = f'[sources.shop]\ntype = "dump"\npath = "x"\n{every}\n{self.keys}'
        path = self.directory / "pgrestore.toml"
        path.write_text(f'[history]\nplace = "past"\n{shop}\n')
        return path

    @property
    def settings(self) -> dict[str, str]:
        """The digests of the settings of tonight."""
        file = self.file
        table = load_config(file, {}, tables=SOURCE_TABLES).sources["shop"]
        return digests_of_source(table, file.parent)

    def now(self, night: int) -> datetime:
        """Three in the morning of that night."""
        return FIRST + night * DAY

    def backup(self, night: int) -> BackupFacts:
        """The newest backup: a full one on each seventh night, incremental ones between."""
        if self.frozen is not None:
            return self.frozen
        made = self.now(night) - timedelta(hours=2)
        full = night % 7 == 0
        found = healthy_pitr().backup
        assert found is not None
        return replace(
            found,
            label=f"night{night}",
            kind="full" if full else "incremental",
            started_at=made,
            stopped_at=made,
            server_major=self.major,
            restored_by=f"{self.tool}, container {night}",
        )

    def drill(self, night: int) -> tuple[str, ...]:
        """Run one night; return why the drill was due, nothing if it was left out."""
        now, backup = self.now(night), self.backup(night)
        found = decide(
            Wanted(drill=SHOP, source="shop", every=self.every, settings=self.settings, tests="t"),
            self.ledger.read().entries,
            now,
            lambda: NextRestore(backup=backup, archive_end_lsn=None, server_version=self.server),
        )
        evidence = replace(
            run(),
            run_id=f"night{night}",
            started_at=now,
            ended_at=now + timedelta(minutes=20),
            **self._result(found, night, backup),
        )
        self.ledger.add(evidence, "{}")
        return () if isinstance(found, LeftOut) else found

    def _result(
        self, found: tuple[str, ...] | LeftOut, night: int, backup: BackupFacts
    ) -> dict[str, Any]:
        if isinstance(found, LeftOut):
            return {"left_out": (found,), "drills": ()}
        sample = failed() if self.red else healthy_pitr()
        server = healthy_pitr().server
        assert server is not None
        record = replace(
            sample,
            drill=SHOP,
            source="shop",
            target="latest",
            started_at=self.now(night),
            backup=backup,
            server=replace(server, version=f"PostgreSQL {self.server} on x86_64"),
            settings=self.settings,
            tests="t",
            due=found,
            phases=(
                Phase(
                    name="fetch",
                    seconds=600.0 + 10 * night,
                    outcome="ok",
                    counts_toward_rto=True,
                ),
            ),
        )
        return {"drills": (record,), "left_out": ()}

    def outlook(self, night: int) -> Outlook:
        """What the next drill's report would say of the restore time."""
        past = [drill for entry in self.ledger.read().entries for drill in entry.drills]
        return outlook_of(series_of(past[:-1], past[-1]), self.now(night))

    def status(self, night: float) -> tuple[int, dict[str, Any]]:
        """What `pgrestore status --json` says at that time."""
        printed: list[str] = []
        status = show_status(
            self.file, None, {}, printed.append, now=FIRST + night * DAY, as_json=True
        )
        (source,) = json.loads(printed[0])["sources"]
        return status, source


def test_a_month(tmp_path: Path) -> None:
    """Each event makes the drill due once, and quiet nights cost nothing."""
    nights = Nights(tmp_path, 7 * DAY)
    due: dict[int, tuple[str, ...]] = {}
    for night in range(31):
        if night == 9:
            nights.server = "15.15"
        if night == 12:
            nights.tool = "pgBackRest 2.46"
        if night == 20:
            nights.server, nights.major = "16.4", 16
        if night == 24:
            nights.keys = "jobs = 2"
        if found := nights.drill(night):
            due[night] = found

    assert due == {
        0: ("it was never drilled",),
        1: ("no backup of this kind was drilled yet: incremental, tar.zst (night1)",),
        8: ("its last green drill was 7 d ago, and every is 7 d",),
        9: ("the server here is 15.15, and was 15.14",),
        12: ("the backup tool here is pgBackRest 2.46, and was pgBackRest 2.45",),
        19: ("its last green drill was 7 d ago, and every is 7 d",),
        20: (
            "the server here is 16.4, and was 15.15",
            "the backup is of PostgreSQL 16, and was of 15",
        ),
        24: ("its settings changed since its last green drill: jobs",),
    }
    past = nights.ledger.read()
    assert past.problems == ()
    assert len(past.entries) == 31
    assert sum(bool(entry.left_out) for entry in past.entries) == 31 - len(due)
    assert [one.restore_seconds for entry in past.entries for one in entry.drills] == [
        600.0 + 10 * night for night in due
    ]


def test_a_red_drill_is_due_each_night_until_it_is_green(tmp_path: Path) -> None:
    """And status says so all the time."""
    nights = Nights(tmp_path, 7 * DAY)
    told = []
    for night in range(5):
        nights.red = 1 <= night < 3
        if night == 1:
            nights.keys = "jobs = 2"  # which makes it due, and finds the damage
        told.append([reason.partition(":")[0] for reason in nights.drill(night)])
        status, source = nights.status(night + 0.5)
        assert status == nights.red
        assert source["standing"] == ("due" if nights.red else "proven")

    assert told == [
        ["it was never drilled"],
        ["its settings changed since its last green drill"],
        ["its last drill was failed", "its settings changed since its last green drill"],
        ["its last drill was failed", "its settings changed since its last green drill"],
        [],
    ]


def test_a_month_of_drills_shows_when_the_rto_is_missed(tmp_path: Path) -> None:
    """Ten seconds a night from ten minutes on: the fifteen minutes are reached on night 30."""
    nights = Nights(tmp_path, DAY)
    for night in range(22):
        nights.drill(night)

    found = nights.outlook(22)

    assert found.not_enough == ""
    assert found.rto_seconds == 900
    assert found.missed is not None
    assert found.missed.likely is not None
    assert abs(found.missed.likely - nights.now(30)) < DAY
    # It grows by the same each night: nothing is uncertain.
    assert found.missed.earliest == found.missed.latest == found.missed.likely


@pytest.mark.parametrize("change", ["server", "tool"])
def test_an_upgrade_begins_another_series(tmp_path: Path, change: str) -> None:
    """What the old release took says nothing of the new one."""
    nights = Nights(tmp_path, DAY)
    for night in range(28):
        if night == 22:
            setattr(nights, change, {"server": "16.4", "tool": "pgBackRest 2.46"}[change])
        nights.drill(night)

    found = nights.outlook(28)

    assert found.not_enough.startswith("not enough history: 6 drills in 5 days")
    assert change in found.began
    assert found.missed is None


def test_missed_nights_are_overdue(tmp_path: Path) -> None:
    """The runner died: whoever asks elsewhere learns it, and it drills when it is back."""
    nights = Nights(tmp_path, 7 * DAY)
    nights.drill(0)
    fresh, source = nights.status(6.9)
    late, overdue = nights.status(7)
    back = nights.drill(14)

    assert (fresh, source["standing"], source["reasons"]) == (0, "proven", [])
    assert source["last"]["run_id"] == "night0"
    assert source["last_green"]["age_seconds"] == pytest.approx(6.9 * 86400)
    assert source["last_green"]["rto_seconds"] == 900
    assert source["fresh_until"] == (FIRST + 7 * DAY).isoformat()
    assert (late, overdue["standing"], overdue["is_due"]) == (1, "overdue", True)
    assert back == ("its last green drill was 14 d ago, and every is 7 d",)
    assert nights.status(20.9)[0] == 0


def test_without_an_interval_each_new_backup_is_drilled(tmp_path: Path) -> None:
    """And a night without a new one is left out, with the proof that does not expire."""
    nights = Nights(tmp_path, None)
    assert nights.drill(0) == ("it was never drilled",)
    assert nights.drill(7) == (
        "what it would restore now, night7, was not drilled yet, and its source has no every",
    )
    nights.drill(8)  # the first incremental one
    nights.frozen = nights.backup(8)
    assert nights.drill(300) == ()
    entry = nights.ledger.read().entries[-1]
    assert entry.left_out[0].fresh_until is None
    assert entry.left_out[0].why.startswith("unchanged since its last green drill, 292 d ago")
    assert nights.status(300)[1]["standing"] == "no interval"
