"""What is measured of a run, and what stays of earlier ones."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.history.entry import entry_of
from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.store import DirectoryStore
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.notices.metrics.exposition import parse, render
from pytest_pgrestore.notices.metrics.groups import groups_of
from pytest_pgrestore.notices.metrics.samples import METRICS, ConfiguredSource, Sample, samples_of
from pytest_pgrestore.notices.notices import Notices
from pytest_pgrestore.settings.notice_tables import MetricsTable
from pytest_pgrestore.settings.read_file import Config
from pytest_pgrestore.settings.source_tables import SourceTable
from tests.programs import require
from tests.unit.evidence_samples import (
    START,
    bad_data,
    could_not_verify,
    every_sample,
    failed,
    healthy_dump,
    healthy_pitr,
    run,
)

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import DrillRecord, Evidence

DAY = timedelta(days=1)
TABLES = {
    name: SourceTable(type="dump", every=timedelta(days=30)) for name in ("shop", "crm", "billing")
}
SOURCES = {name: ConfiguredSource(table.type, table.every) for name, table in TABLES.items()}


def later(record: DrillRecord, days: int) -> Evidence:
    """Return a run of one drill, some days after the first."""
    at = START + days * DAY
    return replace(
        run(replace(record, started_at=at)), run_id=f"day{days}", started_at=at, ended_at=at
    )


def values(samples: list[Sample], name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return the samples of one metric by their labels."""
    return {one.labels: one.value for one in samples if one.name == f"pgrestore_{name}"}


def of(source: str, **more: str) -> tuple[tuple[str, str], ...]:
    """Return the labels of a sample of a source."""
    return tuple(sorted({"source": source, **more}.items()))


def sampled(*runs: Evidence, status: int = 0) -> list[Sample]:
    """Return what a history of these runs says."""
    entries = [entry_of(evidence, "", ()) for evidence in runs]
    return samples_of(entries, status, SOURCES, runs[-1].ended_at)


def test_a_green_drill_is_measured() -> None:
    """Each figure that a dashboard shows."""
    found = sampled(later(healthy_pitr(), 0))

    shop = of("shop")
    began = START.timestamp()
    assert values(found, "last_success_timestamp_seconds") == {shop: began}
    assert values(found, "fresh_until_timestamp_seconds") == {shop: began + 30 * 86400}
    ended = START.replace(hour=2, minute=7).timestamp()
    assert values(found, "proven_backup_timestamp_seconds") == {shop: ended}
    assert values(found, "proven_backup_size_bytes") == {shop: 4_402_341_478}
    assert values(found, "rto_seconds") == {shop: 723.4}
    assert values(found, "rto_limit_seconds") == {shop: 900}
    assert values(found, "restore_phase_seconds")[of("shop", phase="replay")] == 309.9
    assert values(found, "restore_seconds")[shop] == pytest.approx(723.4)
    assert values(found, "last_drill_verdict")[of("shop", verdict="passed")] == 1
    assert values(found, "assertions")[of("shop", verdict="passed")] == 12
    assert values(found, "due") == {shop: 0, of("crm"): 1, of("billing"): 1}


def test_what_was_not_measured_is_no_zero() -> None:
    """A restore that did not come up took no time at all, in a naive figure."""
    found = sampled(later(failed(), 0), status=1)

    assert values(found, "restore_seconds") == {}
    assert values(found, "rto_seconds") == {}
    assert values(found, "last_success_timestamp_seconds") == {}
    assert values(found, "rto_limit_seconds") == {of("shop"): 900}
    assert values(found, "last_run_exit_status") == {(): 1}


def test_the_last_proof_stays_when_a_drill_fails() -> None:
    """An alert asks how old it is."""
    found = sampled(later(healthy_pitr(), 0), later(failed(), 1), status=1)

    assert values(found, "last_success_timestamp_seconds") == {of("shop"): START.timestamp()}
    assert values(found, "last_drill_verdict")[of("shop", verdict="failed")] == 1
    assert values(found, "due")[of("shop")] == 1


def test_the_history_remembers_what_this_run_left_out() -> None:
    """A run of one source says something of all of them."""
    found = sampled(later(healthy_pitr(), 0), later(healthy_dump(), 1))

    assert set(values(found, "last_success_timestamp_seconds")) == {of("shop"), of("crm")}
    assert set(values(found, "rto_seconds")) == {of("shop"), of("crm")}


def test_several_drills_of_a_source_give_the_worst() -> None:
    """A green drill to one point does not hide a red one to another."""
    found = sampled(run(healthy_dump(), bad_data()), status=1)

    assert values(found, "last_drill_verdict")[of("crm", verdict="failed")] == 1
    assert values(found, "rto_limit_seconds") == {of("crm"): 3}


def test_a_run_of_one_drill_hides_no_red_one_of_its_source() -> None:
    """As in `pgrestore status`. A full run without it gives it up."""
    both, green = run(healthy_dump(), bad_data()), later(healthy_dump(), 1)
    entries = [entry_of(evidence, "", ()) for evidence in (both, green)]
    by_hand = samples_of([replace(entries[0], full=True), entries[1]], 0, SOURCES, START + DAY)
    given_up = samples_of([replace(one, full=True) for one in entries], 0, SOURCES, START + DAY)

    red = of("crm", verdict="failed")
    assert values(by_hand, "last_drill_verdict")[red] == values(by_hand, "due")[of("crm")] == 1
    assert values(given_up, "last_drill_verdict")[red] == values(given_up, "due")[of("crm")] == 0


def test_a_source_whose_settings_changed_is_due() -> None:
    """As `pgrestore status` says, while no drill had the new ones."""
    had = replace(entry_of(later(healthy_pitr(), 0), "", ()), run_id="had")
    had = replace(had, drills=tuple(replace(one, settings={"path": "a"}) for one in had.drills))
    now = entry_of(later(healthy_dump(), 1), "", ())
    due = {
        path: values(
            samples_of(
                [had, now], 0, {"shop": replace(SOURCES["shop"], digests={"path": path})}, START
            ),
            "due",
        )[of("shop")]
        for path in ("a", "b")
    }

    assert due == {"a": 0, "b": 1}


# Runs one after the other, with what stays of them in a file.


def notices(directory: Path, name: str = "m.prom", history: bool = False) -> Notices:
    """Return notices that write a file of metrics."""
    metrics = MetricsTable(file=str(directory / name))
    config = Config(sources=TABLES, metrics=metrics)
    return Notices(config, {}, "run", str(directory / "past") if history else None)


@pytest.mark.parametrize("name", ["m.prom", "m.om"])
@pytest.mark.parametrize("history", [False, True])
def test_a_run_of_one_source_keeps_the_others(tmp_path: Path, name: str, history: bool) -> None:
    """By the history, or by the file that is there."""
    told = notices(tmp_path, name, history)
    for evidence in (later(healthy_pitr(), 0), later(healthy_dump(), 1), later(failed(), 2)):
        if history:
            Ledger(DirectoryStore(tmp_path / "past")).add(evidence, to_json(evidence))
        assert told.reported(evidence, 0) == []

    found = parse(tmp_path / name)
    success = values(found, "last_success_timestamp_seconds")
    assert success == {
        of("shop"): START.timestamp(),
        of("crm"): (START + DAY).timestamp(),
    }
    assert values(found, "last_drill_timestamp_seconds")[of("shop")] == success[of("crm")] + 86400
    assert values(found, "due") == {of("shop"): 1, of("crm"): 0, of("billing"): 1}
    # Of the target that is still green, which only a history knows.
    restored = {of("crm"), of("shop")} if history else {of("crm")}
    assert values(found, "restore_seconds").keys() == restored
    assert len({(one.name, one.labels) for one in found}) == len(found)


def test_what_expires_while_others_are_drilled_is_due(tmp_path: Path) -> None:
    """Without a history, too."""
    told = notices(tmp_path)
    told.reported(later(healthy_pitr(), 0), 0)
    told.reported(later(healthy_dump(), 31), 0)

    assert values(parse(tmp_path / "m.prom"), "due")[of("shop")] == 1


@pytest.mark.parametrize(("every", "due"), [(1, 1), (60, 0), (None, 0)])
def test_a_changed_interval_counts_from_the_last_proof(
    tmp_path: Path, every: int | None, due: int
) -> None:
    """Without a history too: a monthly proof is none for a source that is now drilled daily."""
    notices(tmp_path).reported(later(healthy_pitr(), 0), 0)
    interval = None if every is None else timedelta(days=every)
    tables = {**TABLES, "shop": SourceTable(type="dump", every=interval)}
    config = Config(sources=tables, metrics=MetricsTable(file=str(tmp_path / "m.prom")))
    Notices(config, {}, "run", None).reported(later(healthy_dump(), 31), 0)

    found = parse(tmp_path / "m.prom")
    fresh = values(found, "fresh_until_timestamp_seconds").get(of("shop"))
    assert fresh == (None if every is None else START.timestamp() + every * 86400)
    assert values(found, "due")[of("shop")] == due


def test_a_source_that_is_no_longer_configured_goes(tmp_path: Path) -> None:
    """Otherwise its alert would stay for ever."""
    told = notices(tmp_path)
    told.reported(later(healthy_pitr(), 0), 0)
    config = Config(
        sources={"crm": TABLES["crm"]}, metrics=MetricsTable(file=str(tmp_path / "m.prom"))
    )
    Notices(config, {}, "run", None).reported(later(healthy_dump(), 1), 0)

    assert "shop" not in (tmp_path / "m.prom").read_text()


def test_a_damaged_file_is_told_and_written_again(tmp_path: Path) -> None:
    """It is nothing that a backup is to blame for."""
    (tmp_path / "m.prom").write_text("nonsense {{{ 1 2 3\n")
    (remark,) = notices(tmp_path).reported(later(healthy_pitr(), 0), 0)

    assert "was damaged, so what it knew of earlier runs is lost" in remark
    assert values(parse(tmp_path / "m.prom"), "last_run_exit_status") == {(): 0}


def test_another_user_may_read_the_file(tmp_path: Path) -> None:
    """node_exporter is one; whatever the umask of the run."""
    before = os.umask(0o077)
    try:
        notices(tmp_path).reported(later(healthy_pitr(), 0), 0)
    finally:
        os.umask(before)

    assert (tmp_path / "m.prom").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["m.prom"]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """And nothing else happens."""
    (remark,) = notices(tmp_path / "nowhere").reported(later(healthy_pitr(), 0), 0)

    assert remark.startswith("metrics.file was not written: ")
    assert "HINT: give this user the right to its directory" in remark


def test_a_history_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """The metrics are then those of this run and of the file."""
    (tmp_path / "past").write_text("a file")
    (remark,) = notices(tmp_path, history=True).reported(later(healthy_pitr(), 0), 0)

    assert remark.startswith("the metrics know this run only: ")
    assert (tmp_path / "m.prom").exists()


def test_no_old_proof_stands_in_a_damaged_history(tmp_path: Path) -> None:
    """As --pgrestore-due and `pgrestore status` have it; also once it was accepted."""
    ledger = Ledger(DirectoryStore(tmp_path / "past"))
    told = notices(tmp_path, history=True)
    for day in range(3):
        ledger.add(later(healthy_pitr(), day), "{}")
    crm = later(replace(healthy_pitr(), source="crm", drill="crm@latest"), 3)
    ledger.add(crm, "{}")

    def due() -> str:
        told.reported(crm, 0)
        return (tmp_path / "m.prom").read_text()

    whole = due()
    for path in (tmp_path / "past").glob("*-day2.json"):
        path.unlink()
    damaged = due()
    ledger.accept("known", START + 4 * DAY)
    accepted = due()

    assert 'pgrestore_due{source="shop"} 0.0' in whole
    assert 'pgrestore_due{source="shop"} 1.0' in damaged
    assert 'pgrestore_due{source="shop"} 1.0' in accepted


# What is pushed.


def test_each_source_has_a_group_of_its_own() -> None:
    """A push takes the place of the same names in its group."""
    entries = [entry_of(later(could_not_verify(), 0), "", ())]
    samples = samples_of(entries, 6, SOURCES, START)
    groups = {
        group["key"].get("source", ""): group
        for group in groups_of(samples, {"instance": "a"}, complete=False)
    }

    assert set(groups) == {"", "shop", "crm", "billing"}
    assert all(group["key"]["instance"] == "a" for group in groups.values())
    # It keeps the last proof, which this run does not know.
    assert not groups["billing"]["replaces"]
    # Nothing but the settings is known of it here.
    assert {one["name"] for one in groups["shop"]["samples"]} == {
        "pgrestore_source_info",
        "pgrestore_interval_seconds",
    }


# The text.


@every_sample
@pytest.mark.parametrize("name", ["m.prom", "m.om"])
def test_the_text_can_be_read_back(evidence: Evidence, name: str, tmp_path: Path) -> None:
    """Whatever a source is called."""
    drills = {record.source: ConfiguredSource("dump", DAY) for record in evidence.drills}
    samples = samples_of([entry_of(evidence, "", ())], 1, drills, START)
    path = tmp_path / name
    path.write_bytes(render(samples, openmetrics=name == "m.om"))

    assert set(parse(path)) == set(samples)
    assert {one.name for one in samples} <= set(METRICS)


def test_promtool_finds_no_fault_with_names_and_text() -> None:
    """Names, units and help texts by Prometheus' own rules."""
    require("promtool")
    text = render(sampled(run(healthy_pitr(), healthy_dump())), openmetrics=False)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_every_metric_is_written_at_some_time() -> None:
    """A name that no run ever writes is a mistake in the table."""
    full = replace(
        healthy_dump(),
        backup=replace(healthy_pitr().backup, repository_bytes=5),  # type: ignore[type-var]  # it has one
    )
    found = sampled(later(full, 0))

    assert {one.name for one in found} == set(METRICS)
