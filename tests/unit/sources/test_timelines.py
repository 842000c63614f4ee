"""Which timelines of an archive recovery follows from a backup."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.errors import TargetUnreachable
from pytest_pgrestore.model.target import Timeline
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.wal.timelines import follow, parse_history

HISTORIES = {
    2: "1\t0/300500\tno recovery target specified\n",
    3: "1\t0/300500\tno recovery target specified\n\n2\t0/500000\tbefore 2026-06-15 14:30:00+00\n",
    9: "8\t0/300500\tno recovery target specified\n",
}


def test_a_history_names_its_ancestors() -> None:
    """Comments and empty lines are allowed."""
    assert parse_history("# a comment\n" + HISTORIES[3], 3) == [
        (1, Lsn(0x300500)),
        (2, Lsn(0x500000)),
    ]


@pytest.mark.parametrize(
    ("timeline", "wanted", "stop", "steps"),
    [
        (1, "latest", 0x200000, [1, 2, 3]),
        (1, "current", 0x200000, [1]),
        (1, 1, 0x200000, [1]),
        (1, 2, 0x200000, [1, 2]),
        (1, "latest", 0x400000, [1]),
        (2, "latest", 0x400000, [2, 3]),
        (2, "latest", 0x600000, [2]),
        (3, "latest", 0x600000, [3]),
    ],
)
def test_latest_is_the_newest_that_descends_from_the_backup(
    timeline: int, wanted: Timeline, stop: int, steps: list[int]
) -> None:
    """A timeline that left before the backup ended cannot be reached."""
    path, _ = follow(HISTORIES, timeline, wanted, Lsn(stop))

    assert [number for number, _ in path.steps] == steps
    assert path.last == steps[-1]


def test_what_is_not_followed_is_said() -> None:
    """Timeline 9 is the newest, but no descendant."""
    _, notes = follow(HISTORIES, 1, "latest", Lsn(0x200000))

    assert notes == [
        (
            "timeline 9 of the archive was not followed: its history descends from 8"
            " and not from the backup's timeline 1"
        )
    ]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [(7, "holds no 00000007.history"), (9, "descends from 8"), (2, "before the backup ended")],
)
def test_a_timeline_that_cannot_be_reached_is_refused(wanted: int, words: str) -> None:
    """No other timeline is taken instead."""
    with pytest.raises(TargetUnreachable, match=words):
        follow(HISTORIES, 1, wanted, Lsn(0x400000))
