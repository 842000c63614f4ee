"""Names by which a test belongs to a drill, and keys of what is kept on pytest's objects."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.drill_request import DrillRequest

MARKER = "pgrestore"

FIXTURES = frozenset(
    {"pgrestore_instance", "pgrestore_conn", "pgrestore_clone", "pgrestore_tables"}
)
"""Fixtures that make a test part of a drill without a marker."""

RESTORED = "restored"
"""The item that reports why a restore failed; the others only refer to it."""

NO_SERVER = "not measured: the restore did not come up"
"""Message of every test whose drill has no server; the item `restored` reports the cause, once."""

REQUEST = pytest.StashKey[DrillRequest]()
"""On an item: the drill it belongs to."""

OTHER_REQUEST = pytest.StashKey[DrillRequest]()
"""On an item: the drill whose data it compares with that of its own."""

NOT_MEASURED = pytest.StashKey[bool]()
"""On an item: it could not run because its drill has no server."""

IS_DRILL_CHECK = pytest.StashKey[bool]()
"""On an item: it is one of a drill's own checks, and no test of the user's."""

WHOLE = pytest.StashKey[str]()
"""On a part of an item: the node id of the item."""

VERDICT = pytest.StashKey[Verdict]()
"""On an item: what its last phase with an outcome was."""

SEVERITY = pytest.StashKey[str]()
"""On an item: what it is if its assertion is false, ``error`` or ``warn``."""

TIMEOUT = pytest.StashKey[timedelta]()
"""On an item: longest time of each statement on the connection that it is given."""

WORDS_OWN_FAILURE = pytest.StashKey[bool]()
"""On an item: the message of its failure is ours and holds no values."""

SHOWN_NAMES = pytest.StashKey[frozenset[str]]()
"""On an item: names of tables that it was given. They are no values of rows."""

COMPARED = pytest.StashKey[list[str]]()
"""On an item: the explanation of its last comparison that was false, without values."""

INPUT_KEY = "pgrestore_key"
"""In the input of an xdist worker: key of the hashes that stand for values, in hexadecimal."""

INPUT_ROOT = "pgrestore_root"
"""In the input of an xdist worker: the run's directory."""

INPUT_REFUSAL = "pgrestore_refusal"
"""In the input of an xdist worker: problem and hint if the run's directory could not be made."""


def requests_of(item: pytest.Item) -> list[DrillRequest]:
    """Return the drills that a test belongs to by marker or drill file: none, one, or two."""
    return [item.stash[key] for key in (REQUEST, OTHER_REQUEST) if key in item.stash]


def keys_of_drills(item: pytest.Item) -> list[str]:
    """Return the keys of these drills."""
    return [request.drill.key for request in requests_of(item)]
