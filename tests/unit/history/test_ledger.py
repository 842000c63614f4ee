"""The history: one immutable file per run, and what is missing is named."""

from __future__ import annotations

import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.store import DirectoryStore, open_store
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.verdict import Verdict
from tests.unit.evidence_samples import failed, healthy_pitr, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_pgrestore.model.evidence import Evidence


def night(number: int, evidence: Evidence | None = None) -> Evidence:
    """The run of one night."""
    found = evidence or run(healthy_pitr())
    moved = timedelta(days=number)
    return replace(
        found,
        run_id=f"night{number}",
        started_at=found.started_at + moved,
        ended_at=found.ended_at + moved,
    )


def written(directory: Path, *nights: Evidence) -> Ledger:
    """A history of these runs."""
    ledger = Ledger(DirectoryStore(directory))
    for evidence in nights:
        ledger.add(evidence, "{}")
    return ledger


def test_runs_are_read_back_in_their_order(tmp_path: Path) -> None:
    """Each names the one before it."""
    ledger = written(tmp_path / "h", night(2), night(1), night(3, run(failed())))

    past = ledger.read()

    assert past.problems == ()
    assert [entry.run_id for entry in past.entries] == ["night1", "night2", "night3"]
    (drill,) = past.entries[-1].drills
    assert drill.verdict is Verdict.FAILED
    assert drill.cause.startswith("restored: the archive has a hole")
    assert sum(len(entry.previous) for entry in past.entries) == 2


def test_a_history_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """Reading makes nothing."""
    past = Ledger(open_store(str(tmp_path / "none"))).read()

    assert (past.entries, past.problems) == ((), ())
    assert not list(tmp_path.iterdir())


def test_many_runs_may_end_at_once(tmp_path: Path) -> None:
    """Nothing is lost, and the next run follows all of them."""
    ledger = Ledger(DirectoryStore(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: ledger.add(night(number), "{}"), range(24)))
    ledger.add(night(30), "{}")

    past = ledger.read()

    assert past.problems == ()
    assert len(past.entries) == 25
    assert past.entries[-1].previous
    assert len(ledger._last_digests()) == 1


def add_nights(directory: str, first: int) -> None:
    """Add four runs; what one process of many does."""
    for number in range(first, first + 4):
        Ledger(DirectoryStore(Path(directory))).add(night(number), "{}")


def test_many_processes_may_add_at_once(tmp_path: Path) -> None:
    """Nothing is lost, and none is taken for damage."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        list(pool.map(partial(add_nights, str(tmp_path)), (0, 10, 20)))

    past = Ledger(DirectoryStore(tmp_path)).read()

    assert past.problems == ()
    assert len(past.entries) == 12
    assert {path.suffix for path in tmp_path.iterdir()} == {".json"}


def test_a_run_is_written_once(tmp_path: Path) -> None:
    """The same file is never written over."""
    ledger = written(tmp_path, night(1))

    with pytest.raises(HarnessError, match="cannot be written"):
        ledger.add(night(1), "{}")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("remove", "follows a run whose file is missing or was changed"),
        ("change", "follows a run whose file is missing or was changed"),
        ("cut", "it is no entry of a history"),
        ("empty", "it is no entry of a history"),
        ("other", "it does not fit its form: run_id"),
        ("newer", "it is of history version 2"),
    ],
)
def test_damage_is_named(tmp_path: Path, harm: str, told: str) -> None:
    """The others are read all the same."""
    ledger = written(tmp_path, night(1), night(2), night(3))
    first = min(tmp_path.iterdir())
    document = json.loads(first.read_text())
    match harm:
        case "remove":
            first.unlink()
        case "change":
            first.write_text(json.dumps(document | {"host": "another"}))
        case "cut":
            first.write_text(first.read_text()[:100])
        case "empty":
            first.write_text("")
        case "other":
            first.write_text(json.dumps(document | {"run_id": None}))
        case "newer":
            first.write_text(json.dumps(document | {"history_version": 2}))

    past = ledger.read()

    assert any(told in problem for problem in past.problems)
    assert {"night2", "night3"} <= {entry.run_id for entry in past.entries}


def test_old_runs_are_pruned_with_a_floor(tmp_path: Path) -> None:
    """What was pruned is no damage, and the newest ones stay however old they are."""
    ledger = written(tmp_path, *(night(number) for number in range(10)))
    now = night(9).ended_at

    gone = ledger.prune(older_than=timedelta(days=5), keep=3, now=now)
    past = ledger.read()
    more = ledger.prune(older_than=timedelta(0), keep=3, now=now + timedelta(days=400))

    assert len(gone) == 4
    assert past.problems == ()
    assert past.entries[0].run_id == "night4"
    assert len(more) == 3
    assert len(ledger.read().entries) == 3
    assert ledger.read().problems == ()


def test_what_says_how_a_source_stands_is_not_pruned(tmp_path: Path) -> None:
    """A source that is drilled each quarter keeps its last proof, and its last failure."""
    offsite = replace(healthy_pitr(), source="offsite", drill="offsite@latest")
    broken = replace(failed(), source="offsite", drill="offsite@latest")
    quarter = [night(0, run(offsite)), night(1, run(offsite)), night(2, run(broken))]
    ledger = written(tmp_path, *quarter, *(night(number) for number in range(3, 9)))

    ledger.prune(older_than=timedelta(0), keep=2, now=night(9).ended_at)

    past = ledger.read()
    assert [entry.run_id for entry in past.entries] == ["night1", "night2", "night7", "night8"]
    assert past.problems == ()


def test_what_is_damaged_is_not_pruned(tmp_path: Path) -> None:
    """Pruning would hide it."""
    ledger = written(tmp_path, *(night(number) for number in range(5)))
    first = min(tmp_path.iterdir())
    first.write_text("{")

    ledger.prune(older_than=timedelta(0), keep=1, now=night(9).ended_at)

    assert first.exists()
    assert any(first.name in problem for problem in ledger.read().problems)


def test_a_red_drill_stays_as_long_as_an_older_green_one(tmp_path: Path) -> None:
    """Otherwise pruning would make a proof of a drill that failed after it."""
    rare = replace(healthy_pitr(), source="rare", drill="rare@latest")
    green = healthy_pitr()
    red = replace(failed(), source=green.source, drill=green.drill)
    other = replace(green, drill="shop@immediate")
    red, worse = (
        replace(red, started_at=green.started_at + timedelta(days=number)) for number in (1, 2)
    )
    ledger = written(
        tmp_path,
        night(0, run(green, rare)),  # kept for `rare`
        night(1, run(red)),
        night(2, run(worse)),
        *(night(number, run(other)) for number in range(3, 9)),
    )

    gone = ledger.prune(older_than=timedelta(0), keep=1, now=night(9).ended_at)

    past = ledger.read()
    assert len(gone) == 6
    assert [entry.run_id for entry in past.entries] == ["night0", "night2", "night8"]
    assert past.problems == ()


def test_what_is_pruned_while_it_is_read_is_no_damage(tmp_path: Path) -> None:
    """Two jobs at once: one prunes, the other looks for what is due."""
    ledger = written(tmp_path, *(night(number) for number in range(6)))

    class Slow(DirectoryStore):
        def read(self, names: Iterable[str]) -> dict[str, bytes]:
            if self is slow and not done:
                done.append(True)
                ledger.prune(older_than=timedelta(0), keep=2, now=night(9).ended_at)
            return super().read(names)

    done: list[bool] = []
    slow = Slow(tmp_path)
    past = Ledger(slow).read()

    assert past.problems == ()
    assert [entry.run_id for entry in past.entries] == ["night4", "night5"]


def harm(directory: Path, how: str) -> None:
    """Damage a history of four runs whose first one was pruned."""
    first, second, *_ = sorted(directory.glob("*-night*.json"))
    (record,) = directory.glob("*.pruned.json")
    match how:
        case "missing":
            second.unlink()
        case "cut":
            first.write_text(first.read_text()[:99])
        case "record":
            record.write_text("{}")
        case "no record":
            record.unlink()
        case "zone":
            text = first.read_text()
            first.write_text(text.replace("+00:00", ""))
        case "future":
            Ledger(DirectoryStore(directory)).add(night(400, run(failed())), "{}")


HARM = {
    "missing": "follows a run whose file is missing or was changed",
    "cut": "it is no entry of a history",
    "record": "it is no record of a history",
    "no record": "follows a run whose file is missing or was changed",
    "zone": "it has a time without a zone",
    "future": "which is in the future here: look at the clocks",
}


@pytest.mark.parametrize("how", HARM)
def test_damage_can_be_accepted(tmp_path: Path, how: str) -> None:
    """It is shown with its reason; what else is damaged later is told as before."""
    ledger = written(tmp_path, *(night(number) for number in range(4)))
    now = night(9).ended_at
    ledger.prune(older_than=timedelta(days=8), keep=1, now=now)
    before = ledger.read(now).problems
    harm(tmp_path, how)

    damaged = ledger.read(now)
    done = ledger.accept("the disk was lost", now)
    accepted = ledger.read(now)
    again = ledger.accept("the disk was lost", now)
    max(tmp_path.glob("*-night3.json")).write_text("{")
    more = ledger.read(now)

    assert before == ()
    assert any(HARM[how] in problem for problem in damaged.problems)
    assert damaged.unknown_until is None
    assert done is not None
    assert again is None
    assert accepted.problems == ()
    assert accepted.accepted == (done,)
    assert done.reason == "the disk was lost"
    assert set(done.damage.values()) == set(damaged.problems)
    assert accepted.unknown_until is not None
    assert accepted.unknown_until <= now
    assert "night400" not in {entry.run_id for entry in accepted.entries}
    assert [problem for problem in more.problems if "night3" in problem]


def test_a_run_of_the_future_does_not_count_once_its_time_has_come(tmp_path: Path) -> None:
    """And a file that was restored after it was accepted as missing counts again."""
    ledger = written(tmp_path, night(1), night(2), night(40))
    lost = min(tmp_path.iterdir())
    kept = lost.read_bytes()
    lost.unlink()
    ledger.accept("clock, and disk", night(5).ended_at)
    lost.write_bytes(kept)

    past = ledger.read(night(50).ended_at)

    assert past.problems == ()
    assert [entry.run_id for entry in past.entries] == ["night1", "night2"]
    assert past.unknown_until == night(5).ended_at


@pytest.mark.parametrize("scheme", ["", "file://", "memory://"])
def test_a_file_that_is_gone_by_now_is_left_out(tmp_path: Path, scheme: str) -> None:
    """Another job prunes while this one reads."""
    store = open_store(f"{scheme}{tmp_path}/h")
    store.create("a.json", b"a")

    assert store.read(["a.json", "b.json"]) == {"a.json": b"a"}
    assert store.read(["b.json"]) == {}


def test_a_damaged_decision_decides_nothing(tmp_path: Path) -> None:
    """And is damage too, which can be accepted."""
    ledger = written(tmp_path, night(1), night(2))
    min(tmp_path.iterdir()).unlink()
    now = night(9).ended_at
    ledger.accept("known", now)
    (record,) = tmp_path.glob("*.accepted.json")
    record.write_text('{"sha256": {"a": "b"}, "reason": "x", "accepted_at": "2026-01-01"}')

    told = ledger.read(now).problems
    ledger.accept("known again", now + timedelta(seconds=1))

    assert len(told) == 2
    assert any(record.name in problem for problem in told)
    assert ledger.read(now).problems == ()


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Where the unfinished file cannot be removed either."""
    (tmp_path / "file").write_text("")

    with pytest.raises(HarnessError, match="cannot be written"):
        DirectoryStore(tmp_path / "file").create("a.json", b"")


@pytest.mark.parametrize("scheme", ["nosuch", "oss"])
def test_an_object_store_that_is_not_known_is_told(scheme: str) -> None:
    """With what to do."""
    with pytest.raises(ConfigError, match=f"the history {scheme}://.*\n.*install the package"):
        open_store(f"{scheme}://bucket/drills")


@pytest.mark.parametrize("place", ["github://x", "zip://nosuch.zip", "reference://x"])
def test_a_place_that_its_library_cannot_use_is_told(place: str) -> None:
    """It is a mistake of the settings, and no traceback."""
    with pytest.raises(HarnessError, match=r"cannot be opened: \w+Error\n.*s3://bucket/drills"):
        open_store(place)


def test_an_object_store_without_its_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra to install."""
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ConfigError, match=r"pip install .pytest-pgrestore\[gcs\]"):
        open_store("gs://bucket/drills")
