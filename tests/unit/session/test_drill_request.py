"""Arguments, settings and sources become drills."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.target import AtTime, Immediate, Latest
from pytest_pgrestore.session.drill_request import make_request
from pytest_pgrestore.settings.resolve import ExplicitSettings
from pytest_pgrestore.sources.basebackup.table import BasebackupTable
from pytest_pgrestore.sources.dump.table import DumpTable

SHOP = BasebackupTable(
    type="basebackup", path="x", rto=timedelta(minutes=30), max_age=timedelta(days=1)
)
CRM = DumpTable(type="dump", path="y")


def request(arguments: Any, given: Any = None, sources: Any = None) -> Any:
    """Make the request of one test."""
    return make_request(
        arguments,
        ExplicitSettings(given or {}),
        {"shop": SHOP} if sources is None else sources,
        "test_x",
    )


def test_the_only_source_needs_no_name() -> None:
    """One database, one line of configuration."""
    assert request({}).drill.source == "shop"


@pytest.mark.parametrize(
    ("arguments", "sources", "text"),
    [
        ({}, {"shop": SHOP, "crm": CRM}, "which source"),
        ({}, {}, "no source of backups is configured"),
        ({"source": "shpo"}, {"shop": SHOP, "crm": CRM}, "did you mean shop"),
        ({"source": 3}, {"shop": SHOP}, "unknown source"),
        ({"source": "shop"}, {}, "no source of backups is configured"),
    ],
    ids=["two", "none", "mistyped", "not a text", "named, and none"],
)
def test_a_drill_without_a_source_is_refused(arguments: Any, sources: Any, text: str) -> None:
    """The message names the sources."""
    with pytest.raises(ConfigError, match=text):
        request(arguments, sources=sources)


def test_marker_beats_flag_and_flag_beats_file() -> None:
    """Precedence as documented, for the keys that a source has, too."""
    minutes = [timedelta(minutes=number) for number in (1, 2, 30)]

    found = [
        request({"rto": "1m"}, {"rto": minutes[1]}),
        request({}, {"rto": minutes[1]}),
        request({}),
    ]

    assert [entry.drill.objectives.rto for entry in found] == minutes
    assert found[0].drill.objectives.max_age == timedelta(days=1)


def test_a_target_is_taken_from_marker_then_flag_then_default() -> None:
    """The marker of a test wins."""
    given = {"target": Immediate()}

    assert request({"target": "latest"}, given).drill.target == Latest()
    assert request({}, given).drill.target == Immediate()
    assert request({}).drill.target == Latest()


def test_a_datetime_is_a_target() -> None:
    """Python has a type for moments."""
    when = datetime(2026, 1, 1, tzinfo=UTC)

    assert request({"target": when}).drill.target == AtTime(when)
    assert request({"target": when, "inclusive": False}).drill.key.endswith(" exclusive")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"target": "time:2099-01-01T00:00:00+00:00"}, "lies in the future"),
        ({"target": "time:2026-01-01T00:00:00"}, "no timezone"),
        ({"target": "lates"}, "unknown recovery target"),
        ({"target": 3}, "not a text"),
        ({"target": "latest", "inclusive": False}, "cannot be exclusive"),
        ({"inclusive": "no"}, "inclusive is 'no'"),
        ({"timeline": "newest"}, "unknown timeline"),
        ({"rto": "15"}, "not a duration"),
        ({"rpo": 15}, "not a duration"),
        ({"database": ""}, "not a text"),
    ],
)
def test_a_bad_argument_is_refused(arguments: Any, text: str) -> None:
    """A typo never falls back to latest."""
    with pytest.raises(ConfigError, match=text):
        request(arguments)


def test_a_dump_holds_one_moment() -> None:
    """A drill of it with another target could never pass, and would restore nothing."""
    target = "time:2026-01-01T00:00:00+00:00"

    with pytest.raises(ConfigError, match="is a dump, which holds one moment") as caught:
        request({"source": "crm", "target": target}, sources={"shop": SHOP, "crm": CRM})
    assert 'target="latest"' in caught.value.hint
    assert request({"target": target}).drill.source == "shop"


def test_all_bad_arguments_are_reported_at_once() -> None:
    """One round of corrections."""
    with pytest.raises(ConfigError) as caught:
        request({"source": "x", "target": "noon", "rto": "1", "timeline": "0"})

    for text in ("unknown source", "unknown recovery target", "not a duration", "unknown timeline"):
        assert text in str(caught.value)
