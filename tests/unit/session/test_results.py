"""One restore per drill and run, whichever process needs it, and whichever dies."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import DrillRecord, Failure, ObjectiveResult
from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.restore.drill import DrillResult
from pytest_pgrestore.restore.instance import ConnectionInfo
from pytest_pgrestore.session.results import DrillResults

if TYPE_CHECKING:
    from pathlib import Path

KEY = "shop@lsn:16/B374D848 exclusive"
NOTHING = ObjectiveResult(name="rto", judgement=ObjectiveStatus.NOT_SET, definition="")
RECORD = DrillRecord(
    drill=KEY,
    source="shop",
    source_type="dump",
    target="latest",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    rto=NOTHING,
    rpo=replace(NOTHING, name="rpo"),
)
ACCESS = ConnectionInfo(
    drill=KEY,
    socket_directory="/nowhere",
    client_address={"host": "/nowhere", "port": "5432"},
    port=5432,
    user="postgres",
    database="shop",
    nonce="n",
    system_identifier="1",
    options="",
    question_options="",
    timeout_seconds=60.0,
    server=None,
    log="log",
)


class Restores:
    """Counts its calls."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.count = 0
        self.error = error

    def __call__(self) -> DrillResult:
        """Restore, or fail."""
        self.count += 1
        if self.error is not None:
            raise self.error
        return DrillResult(RECORD, ACCESS)


def unfinished(failure: Failure) -> DrillRecord:
    """Return the record of a drill whose restore did not end."""
    return replace(RECORD, failure=failure)


def test_a_drill_is_restored_once_and_read_by_the_others(tmp_path: Path) -> None:
    """Each process has its own results, of the same directory."""
    restore = Restores()

    results = [DrillResults(tmp_path, 1).obtain(KEY, restore, unfinished) for _ in range(3)]

    assert restore.count == 1
    assert results == [DrillResult(RECORD, ACCESS)] * 3
    assert DrillResults(tmp_path, 1).results() == {KEY: DrillResult(RECORD, ACCESS)}


def test_a_record_is_validated_once_and_read_again_when_it_changes(tmp_path: Path) -> None:
    """Each of a thousand tests asks for it."""
    results = DrillResults(tmp_path, 1)
    results.obtain(KEY, Restores(), unfinished)
    first = results.obtain(KEY, Restores(), unfinished)

    assert results.obtain(KEY, Restores(), unfinished) is first
    (file,) = tmp_path.glob("*.json")
    file.write_text(file.read_text() + "\n")
    again = results.obtain(KEY, Restores(), unfinished)
    assert again is not first
    assert again == first


def test_two_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """The second one needs the drill while the first one restores it."""
    begun, may_end = threading.Event(), threading.Event()
    second = Restores()
    found: list[DrillResult] = []

    def slow() -> DrillResult:
        begun.set()
        may_end.wait(60)
        return DrillResult(RECORD, ACCESS)

    def ask() -> None:
        begun.wait(60)
        found.append(DrillResults(tmp_path, 60).obtain(KEY, second, unfinished))

    threads = [
        threading.Thread(target=lambda: DrillResults(tmp_path, 60).obtain(KEY, slow, unfinished)),
        threading.Thread(target=ask),
    ]
    for thread in threads:
        thread.start()
    begun.wait(60)
    may_end.set()
    for thread in threads:
        thread.join(60)

    assert second.count == 0
    assert found == [DrillResult(RECORD, ACCESS)]


def test_an_interrupted_restore_is_not_tried_again(tmp_path: Path) -> None:
    """The copy is half made, and the run is ending."""
    results = DrillResults(tmp_path, 1)
    with pytest.raises(KeyboardInterrupt):
        results.obtain(KEY, Restores(KeyboardInterrupt()), unfinished)
    restore = Restores()

    result = results.obtain(KEY, restore, unfinished)

    assert restore.count == 0
    assert result.access is None
    assert result.record.failure is not None
    assert result.record.failure.problem == "the restore was interrupted"
    assert result.record.verdict() == "could not verify"


def test_a_restore_whose_process_died_is_known_as_such(tmp_path: Path) -> None:
    """The kernel frees the lock of a dead worker. The entry it left is not final."""
    results = DrillResults(tmp_path, 1)
    results._write(
        KEY,
        unfinished(Failure(problem="x", hint="y", verdict=RECORD.verdict(), phase="")),
        final=False,
    )
    restore = Restores()

    assert results.obtain(KEY, restore, unfinished).access is None
    assert restore.count == 0


def test_a_restore_that_another_holds_too_long_could_not_verify(tmp_path: Path) -> None:
    """Every wait has a deadline."""
    results = DrillResults(tmp_path, 0.001)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with results._alone(KEY):
            holding.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(60)
    with pytest.raises(HarnessError, match="another worker has been restoring"):
        DrillResults(tmp_path, 0.001).obtain(KEY, Restores(), unfinished)
    done.set()
    thread.join(60)
