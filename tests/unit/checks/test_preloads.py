"""Libraries that the copy's own configuration preloads, read from its files."""

from __future__ import annotations

import pytest

from pytest_pgrestore.checks.environment import preloads_left_out


@pytest.mark.parametrize(
    ("texts", "notes"),
    [
        ([], ()),
        (["shared_preload_libraries = ''"], ()),
        (["# shared_preload_libraries = 'x'"], ()),
        (["Shared_Preload_Libraries 'a'"], ("a (shared_preload_libraries",)),
        (["shared_preload_libraries=a # why"], ("a (shared_preload_libraries",)),
        (["shared_preload_libraries = 'a'", "shared_preload_libraries = ''"], ()),
        (["session_preload_libraries = '\"a\",b'"], ("a, b (session_preload_libraries",)),
    ],
    ids=["nothing", "empty", "comment", "no equals sign", "no quotes", "taken back", "list"],
)
def test_the_last_line_of_the_carried_configuration_counts(
    texts: list[str], notes: tuple[str, ...]
) -> None:
    """As for the server that reads it."""
    found = preloads_left_out(texts)

    assert found.not_checked == ()
    assert found.notes == tuple(
        f"not loaded here, by quarantine: {note} of the copy)" for note in notes
    )
