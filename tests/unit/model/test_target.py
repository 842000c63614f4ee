"""Recovery targets: how users write them, and the keys of drills."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.target import (
    AtLsn,
    AtName,
    AtTime,
    AtXid,
    Immediate,
    Latest,
    RecoveryTarget,
    exclusive,
    parse_target,
    parse_timeline,
)
from pytest_pgrestore.model.wal import Lsn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

GOOD = {
    "latest": Latest(),
    "immediate": Immediate(),
    "time:2026-03-01T12:00:00+00:00": AtTime(NOON),
    "time:2026-03-01T13:00:00+01:00": AtTime(NOON),
    "time: 2026-03-01 12:00:00Z": AtTime(NOON),
    "lsn:16/B374D848": AtLsn(Lsn(0x16B374D848)),
    "xid:4711": AtXid(4711),
    "name:before deployment": AtName("before deployment"),
}

BAD = [
    "",
    "latest:1",
    "latest:",
    "Latest",
    "immediate:now",
    "time:noon",
    "time:",
    "time:2026-03-01T12:00:00",
    "lsn",
    "lsn:",
    "lsn:16-B3",
    "lsn:123456789/0",
    "xid:abc",
    "xid:",
    "xid:-3",
    "xid:0",
    "xid:\u0663",
    "name:",
    "tme:2026-03-01T12:00:00+00:00",
]


@pytest.mark.parametrize(("text", "target"), GOOD.items(), ids=list(GOOD))
def test_every_kind_of_target_can_be_spelled(text: str, target: RecoveryTarget) -> None:
    """These spellings are in users' files for years."""
    assert parse_target(text) == target


@pytest.mark.parametrize("text", BAD)
def test_bad_target_text_is_refused_with_a_hint(text: str) -> None:
    """A typo must never fall back to restoring latest."""
    with pytest.raises(ConfigError, match="HINT: "):
        parse_target(text)


@pytest.mark.parametrize("text", [text for text in GOOD if " " not in text and "13:00" not in text])
def test_a_target_prints_as_it_is_written(text: str) -> None:
    """Reports, node ids and history keys are made of it."""
    assert str(parse_target(text)) == text


@pytest.mark.parametrize(
    ("value", "timeline"), [("latest", "latest"), ("current", "current"), (3, 3), ("3", 3)]
)
def test_timelines_are_a_number_or_a_word(value: int | str, timeline: int | str) -> None:
    """A timeline in a file may be written as number or text."""
    assert parse_timeline(value) == timeline


@pytest.mark.parametrize("value", ["", "newest", "0", "-1", "1.5"])
def test_a_bad_timeline_is_refused(value: str) -> None:
    """Recovery on a timeline that nobody asked for restores other rows."""
    with pytest.raises(ConfigError, match="HINT: "):
        parse_timeline(value)


@pytest.mark.parametrize("target", [Latest(), Immediate(), AtName("x")], ids=str)
def test_only_points_can_be_excluded(target: RecoveryTarget) -> None:
    """PostgreSQL ignores recovery_target_inclusive for these; silence would be a lie."""
    with pytest.raises(ConfigError, match="cannot be exclusive"):
        exclusive(target)


def test_the_key_tells_every_restore_apart() -> None:
    """Two drills with one key share one restore."""
    keys = {
        Drill("shop", target, timeline=timeline).key
        for target in (Latest(), AtXid(7), exclusive(AtXid(7)))
        for timeline in ("latest", "current", 2)
    }

    assert len(keys) == 9
