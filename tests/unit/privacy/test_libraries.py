"""Whose file it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_pgrestore.privacy.libraries import is_of_a_library


@pytest.mark.parametrize(
    ("path", "library"),
    [
        (json.__file__, True),
        (pytest.__file__, True),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", True),
        ("/home/me/drills/test_orders.py", False),
        ("test_orders.py", False),
        ("<string>", False),
    ],
    ids=["standard library", "package", "package of Debian", "test", "relative", "exec"],
)
def test_a_file_that_is_of_no_library_is_the_users(path: str, *, library: bool) -> None:
    """Wherever pytest's root directory is: the text of such a warning may be a row."""
    assert is_of_a_library(Path(path)) == library
