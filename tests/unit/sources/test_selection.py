"""Choosing the backup for a target, on a catalogue of three."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, Immediate, Latest, RecoveryTarget
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.selection import choose, no_backup

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


def backup(label: str, hours: int) -> Backup:
    """Return a backup that ended so many hours after noon, at as many megabytes of WAL."""
    ended = NOON + timedelta(hours=hours)
    return Backup(
        label=label,
        location=Path(label),
        form="plain",
        kind="full",
        stopped_at=ended,
        stop_lsn=Lsn(hours << 20),
    )


CATALOGUE = [backup("first", 1), backup("second", 2), backup("third", 3)]


@pytest.mark.parametrize(
    ("target", "position", "label", "why"),
    [
        (Latest(), None, "third", "the newest of 3"),
        (Immediate(), None, "third", "the newest of 3"),
        (
            AtTime(NOON + timedelta(hours=2, minutes=30)),
            None,
            "second",
            "the newest of 2 that end before the target",
        ),
        (
            AtTime(NOON + timedelta(hours=1)),
            None,
            "first",
            "the newest of 1 that end before the target",
        ),
        (AtLsn(Lsn(5 << 20)), None, "third", "the newest of 3 that end before the target"),
        (AtLsn(Lsn(2 << 20)), None, "second", "the newest of 2 that end before the target"),
        (AtName("x"), Lsn(2 << 20), "second", "the newest of 2 that end before the target"),
    ],
)
def test_the_newest_that_ends_before_the_target(
    target: RecoveryTarget, position: Lsn | None, label: str, why: str
) -> None:
    """It needs the least WAL, and recovery can still stop at the target."""
    chosen, selection = choose(CATALOGUE, target, position)

    assert chosen.label == label
    assert selection.startswith(why)


def test_a_backup_that_ended_in_the_targets_own_second_comes_last() -> None:
    """Catalogues have whole seconds, so it may have ended after the target."""
    chosen, _ = choose(CATALOGUE, AtTime(NOON + timedelta(hours=2, milliseconds=300)))

    assert chosen.label == "first"


def test_a_backup_of_unknown_end_comes_last() -> None:
    """It has no manifest, and no ``.backup`` file is archived."""
    unknown = replace(backup("fourth", 4), start_lsn=Lsn(1 << 20), stop_lsn=None)

    assert choose([*CATALOGUE, unknown], AtLsn(Lsn(2 << 20)))[0].label == "second"
    assert choose([unknown], AtLsn(Lsn(2 << 20)))[0].label == "fourth"
    with pytest.raises(TargetUnreachable, match="before the end of every backup"):
        choose([unknown], AtLsn(Lsn((1 << 20) - 1)))


@pytest.mark.parametrize("target", [AtTime(NOON), AtLsn(Lsn(100))])
def test_a_target_before_every_backup_is_refused(target: RecoveryTarget) -> None:
    """The message names the earliest reachable point."""
    with pytest.raises(
        TargetUnreachable,
        match=r"earliest reachable point is 2026-06-15T13:00:00\+00:00 \(LSN 0/100000\)",
    ):
        choose(CATALOGUE, target)


def test_the_only_backup_is_called_so() -> None:
    """There was no choice, and the text shows that."""
    assert choose(CATALOGUE[:1], Latest())[1] == "the only one"
    assert choose(CATALOGUE[:1], AtLsn(Lsn(9 << 20)))[1] == "the only one"


def test_no_backup_tells_what_was_left_out() -> None:
    """A directory with half a backup is not an empty one."""
    assert (
        "backup b was never finished"
        in no_backup("/backups", ["backup b was never finished"]).problem
    )
