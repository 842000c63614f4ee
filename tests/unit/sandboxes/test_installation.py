"""Which server programs are taken, of those that are installed."""

from __future__ import annotations

import pytest

from pytest_pgrestore.sandboxes.installation import VERSION, ServerVersion, of_major

FOUND = [
    ServerVersion(major=major, version=f"{major}.{minor}")
    for major, minor in ((15, 9), (17, 2), (17, 4))
]


@pytest.mark.parametrize(
    ("printed", "major", "version"),
    [
        ("postgres (PostgreSQL) 17.2", "17", "17.2"),
        ("postgres (PostgreSQL) 15.9 (Debian 15.9-0+deb12u1)", "15", "15.9"),
        ("postgres (PostgreSQL) 19beta1", "19", "19beta1"),
    ],
)
def test_versions_are_read_as_postgres_prints_them(printed: str, major: str, version: str) -> None:
    """Distributions add to the line, and a beta has no dot."""
    match = VERSION.search(printed)

    assert match is not None
    assert (match["major"], match["version"]) == (major, version)


def test_another_product_is_no_server_of_ours() -> None:
    """Forks print their own name."""
    assert VERSION.search("postgres (Other Product) 17.2") is None


@pytest.mark.parametrize(
    ("major", "version"),
    [(15, "15.9"), (17, "17.2"), (None, "17.2"), (16, None)],
    ids=["only", "first-of-two", "newest", "missing"],
)
def test_the_first_of_the_major_is_taken(major: int | None, version: str | None) -> None:
    """Places are searched in order, so the first one found is the user's preference."""
    chosen = of_major(FOUND, major)

    assert (chosen.version if chosen else None) == version
