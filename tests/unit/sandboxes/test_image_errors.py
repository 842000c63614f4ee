"""Why a build of an image ended, from what the daemon sends."""

from __future__ import annotations

import pytest

from pytest_pgrestore.sandboxes.docker.daemon.image import _first_error, _hint


@pytest.mark.parametrize(
    "printed",
    [
        "E: Unable to locate package postgresql-17-owl\n",
        "\x1b[91mE: Unable to locate package postgresql-17-owl\x1b[0m\n",
        "\x1b[91mE: Unable to locate package postgresql-17-owl\n\x1b[0m",
    ],
    ids=["plain", "coloured", "coloured to the next line"],
)
def test_the_package_that_is_not_there_is_named(printed: str) -> None:
    """The daemon colours errors, and puts the end of the colour where it likes."""
    lines = [{"stream": "Step 3/9\n"}, {"stream": printed}, {"error": "returned a code: 100"}]

    cause, *_ = _first_error(lines)

    assert cause == "E: Unable to locate package postgresql-17-owl"
    assert _hint(cause).startswith("correct postgresql-17-owl in sandbox.packages (")


def test_a_build_that_ends_otherwise_is_told_by_the_daemon() -> None:
    """Without a line of apt's own, the daemon's word is the cause."""
    assert _first_error([{"stream": "a\n"}, {"error": "no space\n"}]) == ["no space", "a"]
    assert _first_error([{"stream": "a\n"}]) == []
