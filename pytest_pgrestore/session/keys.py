"""Stash keys of items, and the names by which a test belongs to a drill."""

from __future__ import annotations

import pytest

from pytest_pgrestore.session.drill_request import DrillRequest

MARKER = "pgrestore"

FIXTURES = frozenset({"pgrestore_instance", "pgrestore_conn", "pgrestore_clone"})
"""Fixtures that make a test part of a drill without a marker."""

REQUEST = pytest.StashKey[DrillRequest]()
"""On an item: the drill it belongs to."""

NO_SERVER = "not measured: the restore did not come up"
"""Message of every test whose drill has no server; the cause is reported once, by the item `restored`."""

NOT_MEASURED = pytest.StashKey[bool]()
"""On an item: it could not run because its drill did not come up."""

IS_DRILL_CHECK = pytest.StashKey[bool]()
"""On an item: it is one of a drill's own checks and not a test of the user's."""

WORDS_OWN_FAILURE = pytest.StashKey[bool]()
"""On an item: it words its failures itself, without values."""
