"""`pgrestore status` and `pgrestore history`, as their users call them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pytest_pgrestore.cli.main import main
from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.store import DirectoryStore
from pytest_pgrestore.model.evidence_json import to_json
from tests.unit.evidence_samples import failed, healthy_pitr, run

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from pytest_pgrestore.model.evidence import DrillRecord, Evidence

SETTINGS = """
[history]
place = "past"

[sources.shop]
type = "dump"
path = "shop.dump"
every = "30d"

[sources.crm]
type = "dump"
path = "crm.dump"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a history."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pgrestore.toml").write_text(SETTINGS)
    return tmp_path


def evidence(name: str, source: str, record: DrillRecord, days_ago: float) -> Evidence:
    """A run of one drill."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    drill = replace(record, source=source, drill=f"{source}@latest", started_at=at)
    return replace(run(drill), run_id=name, started_at=at, ended_at=at)


def remember(here: Path, *runs: Evidence) -> None:
    """Add runs to the history."""
    for one in runs:
        Ledger(DirectoryStore(here / "past")).add(one, to_json(one))


def call(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, list(arguments))


def test_status_tells_what_is_due(here: Path) -> None:
    """And ends with 1: a cron job needs nothing else."""
    remember(
        here,
        evidence("a", "shop", healthy_pitr(), 40),
        evidence("b", "shop", failed(), 1),
    )

    result = call("status")

    assert result.exit_code == 1
    heading, shop, red, late, crm, never, total = result.output.splitlines()
    assert re.split(r"  +", heading) == [
        *("source", "standing", "last drill", "last green", "restore / RTO", "fresh until")
    ]
    assert shop.startswith(
        "shop    overdue        1 d ago, failed  40 d ago    12 min 3 s / 15 min"
    )
    assert red.startswith("  its last drill was failed: restored: the archive has a hole")
    assert late == "  its last green drill was 40 d ago, and every is 30 d"
    assert crm.split() == ["crm", "never", "drilled", "-", "-", "-", "-"]
    assert never == "  it was never drilled"
    assert total == "2 of 2 sources due"


def test_status_is_silent_about_fresh_proof(here: Path) -> None:
    """Green sources are shown, and nothing is due."""
    remember(
        here,
        evidence("a", "shop", healthy_pitr(), 2),
        evidence("b", "crm", healthy_pitr(), 400),
    )

    result = call("status")

    assert result.exit_code == 0
    assert "shop    proven " in result.output
    assert "crm     no interval " in result.output
    assert result.output.endswith("2 sources, none due\n")


def test_status_is_json_for_programs(here: Path) -> None:
    """With figures instead of words, and the same status."""
    remember(here, evidence("a", "shop", healthy_pitr(), 2))

    result = call("status", "--json")

    assert result.exit_code == 1
    document = json.loads(result.output)
    shop, crm = document["sources"]
    assert (document["due"], document["history_problems"]) == (1, [])
    assert (shop["source"], shop["standing"], shop["is_due"]) == ("shop", "proven", False)
    assert shop["every_seconds"] == 30 * 86400
    assert shop["last"] == shop["last_green"]
    assert shop["last"]["run_id"] == "a"
    assert shop["last"]["restore_seconds"] == 723.4
    assert shop["last"]["rto_seconds"] == 900
    assert crm["last"] is None
    assert crm["reasons"] == ["it was never drilled"]


def test_a_damaged_history_is_told(here: Path) -> None:
    """Whatever else is there."""
    remember(
        here, *(evidence(name, "shop", healthy_pitr(), days) for name, days in (("a", 3), ("b", 2)))
    )
    min((here / "past").iterdir()).unlink()

    result = call("history", "list")

    assert result.exit_code == 1
    assert "follows a run whose file is missing or was changed" in result.output
    assert "HINT: put the files back from a copy; or" in result.output
    assert "HINT: put the files back from a copy; or" in call("status").output
    assert result.output.endswith("1 runs\n")


def test_old_evidence_is_imported_once(here: Path) -> None:
    """The oldest first, in whatever order the files are named."""
    names = []
    for name, days in (("new", 1), ("old", 9)):
        path = here / f"{name}.json"
        path.write_text(to_json(evidence(name, "shop", healthy_pitr(), days)))
        names.append(str(path))

    first, again = call("history", "import", *names), call("history", "import", *names)
    listed = call("history", "list", "--source", "shop")

    assert first.exit_code == again.exit_code == listed.exit_code == 0
    assert again.output.count("is there already") == 2
    assert listed.output.count("shop@latest  passed") == 2


def test_a_file_that_is_no_evidence_is_named(here: Path) -> None:
    """Of many files one is wrong: which one."""
    for name, text in (("good", to_json(evidence("a", "shop", healthy_pitr(), 1))), ("bad", "{")):
        (here / f"{name}.json").write_text(text)

    result = call("history", "import", str(here / "good.json"), str(here / "bad.json"))

    assert result.exit_code == 4
    assert f"error: {here}/bad.json: the evidence is not JSON" in result.output


def test_pruning_keeps_a_floor(here: Path) -> None:
    """Nobody loses the whole history by a typo."""
    remember(here, *(evidence(f"n{days}", "shop", healthy_pitr(), days) for days in (900, 800, 1)))

    refused = call("history", "prune", "--older-than", "1d", "--keep", "0")
    pruned = call("history", "prune", "--older-than", "400d", "--keep", "2")

    assert refused.exit_code == 4
    assert pruned.output.splitlines()[-1] == "1 runs removed"
    assert call("history", "list").exit_code == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("", "no source is configured here"),
        (SETTINGS.replace('place = "past"', ""), "no history is named"),
        (SETTINGS.replace('"past"', '"nosuch://x/y"'), "needs a library that is not here"),
        (SETTINGS.replace("30d", "30"), "sources.shop.every: not a duration"),
    ],
)
def test_a_mistake_has_a_hint(here: Path, settings: str, told: str) -> None:
    """Exit status 4, as pytest's."""
    (here / "pgrestore.toml").write_text(settings)

    result = call("status")

    assert result.exit_code == 4
    assert told in result.output
    assert "HINT: " in result.output


def test_trend_of_each_source(here: Path) -> None:
    """One that can be forecast, and one of which too little is known."""
    slow = healthy_pitr()
    for ago in range(20):
        grown = replace(slow, phases=(replace(slow.phases[2], seconds=800.0 - 5.0 * ago),))
        remember(here, evidence(f"a{ago}", "shop", grown, ago))
    remember(here, evidence("b", "crm", healthy_pitr(), 2))

    result = call("history", "trend")
    one = call("history", "trend", "--source", "shop")

    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "crm @ time"
    assert "  trend: not enough history: 1 drill in 0 days, of at least 8 in 14 days" in lines
    assert any(line.startswith("  trend: +35.0 s (+35.0 s to +35.0 s) a week") for line in lines)
    assert any(line.startswith("  forecast: RTO 15 min: missed about ") for line in lines)
    assert one.output.splitlines()[0] == "shop @ time"


@pytest.mark.usefixtures("here")
def test_a_trend_of_nothing() -> None:
    """It is no success."""
    result = call("history", "trend")

    assert result.exit_code == 1
    assert result.output == "no drill that came up is in the history\n"


def test_accepted_damage_is_shown_and_makes_old_proofs_due_once(here: Path) -> None:
    """The missing run may have been red; a proof from after it stands."""
    remember(
        here,
        evidence("a", "crm", healthy_pitr(), 4),
        evidence("b", "shop", failed(), 3),
        evidence("c", "shop", healthy_pitr(), 2),
    )
    for path in (here / "past").glob("*-b.json"):
        path.unlink()

    damaged = call("status")
    refused = call("history", "accept", "--reason", " ")
    done = call("history", "accept", "--reason", "the disk\nwas lost")
    again = call("history", "accept", "--reason", "the disk was lost")
    listed = call("history", "list")
    status = call("status")
    remember(here, evidence("d", "crm", healthy_pitr(), 1))

    assert damaged.exit_code == 1
    assert "history: " in damaged.output
    assert "pgrestore history accept --reason" in damaged.output
    assert refused.exit_code == 4
    assert "--reason is empty" in refused.output
    assert done.exit_code == 0
    assert done.output.startswith("accepted: ")
    assert again.output == "nothing is missing or damaged\n"
    assert listed.exit_code == 0
    assert "; reason: the disk was lost\n" in listed.output
    assert "HINT" not in listed.output
    assert status.exit_code == 1
    assert "a run is missing from the history up to" in status.output
    assert "1 of 2 sources due" in status.output
    assert call("status").exit_code == 0
