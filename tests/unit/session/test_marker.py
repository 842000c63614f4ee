"""The arguments of a test's markers are merged."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pgrestore.session.marker import (
    ARGUMENTS,
    KEYS_OF_SOURCES,
    call_arguments,
    marker_arguments,
)
from pytest_pgrestore.settings.mistakes import keys_of
from pytest_pgrestore.sources.registry import SOURCE_TABLES


def mark(*args: Any, **kwargs: Any) -> pytest.Mark:
    """Return a marker as pytest gives it."""
    return pytest.Mark("pgrestore", args, kwargs, _ispytest=True)


def test_the_nearest_marker_wins_argument_by_argument() -> None:
    """A function names only what differs from its module."""
    merged, wrong = marker_arguments(
        [mark(target="immediate"), mark("shop", target="latest", rto="5m")]
    )

    assert (merged, wrong) == ({"source": "shop", "target": "immediate", "rto": "5m"}, [])


def test_a_marker_about_another_source_is_ignored() -> None:
    """The RTO of one database is not that of another."""
    merged, _ = marker_arguments([mark("crm"), mark("shop", rto="5m")])

    assert merged == {"source": "crm"}


def test_inclusive_stays_with_its_target() -> None:
    """A module's exclusive time must not make a function's latest exclusive."""
    merged, _ = marker_arguments(
        [mark(target="latest"), mark("shop", target="xid:700", inclusive=False)]
    )

    assert merged == {"source": "shop", "target": "latest"}


@pytest.mark.parametrize(
    ("markers", "text"),
    [
        ([mark("shop", taget="latest")], "did you mean target"),
        ([mark("shop", backup="20260101")], "HINT: it is a key of the source"),
        ([mark("shop", "latest")], "one positional argument"),
        ([mark("shop", source="shop")], "one positional argument"),
    ],
    ids=["unknown", "of the source", "two positional", "twice"],
)
def test_a_bad_marker_is_reported(markers: Any, text: str) -> None:
    """A mistyped argument must not be ignored: the drill would restore latest."""
    _, wrong = marker_arguments(markers)

    assert text in "\n".join(wrong)


@pytest.mark.parametrize(
    ("more", "given", "text"),
    [
        ((), {"taget": "latest"}, "has no argument taget\nHINT: did you mean target"),
        ((), {"backup": "20260101"}, "has no argument backup\nHINT: it is a key of the source"),
        ((), {"severity": "warn"}, "has no argument severity\nHINT: it is of a test"),
        (("latest",), {}, "takes one positional argument, the source\nHINT: write the others"),
    ],
)
def test_a_bad_call_is_reported_as_a_call(more: Any, given: Any, text: str) -> None:
    """Its author wrote no marker."""
    found, wrong = call_arguments("shop", more, given)

    assert found == {"source": "shop"}
    assert text in "\n".join(wrong)
    assert "marker argument" not in "\n".join(wrong)


def test_a_good_call_is_taken_as_it_is() -> None:
    """The healthy twin."""
    assert call_arguments(None, (), {"target": "latest"}) == (
        {"source": None, "target": "latest"},
        [],
    )


def test_the_keys_of_sources_are_what_their_tables_have() -> None:
    """A hint must not lead to a key that there is not."""
    known = {key for table in SOURCE_TABLES.values() for key in keys_of(table)}

    assert known >= KEYS_OF_SOURCES
    assert KEYS_OF_SOURCES.isdisjoint(ARGUMENTS)
