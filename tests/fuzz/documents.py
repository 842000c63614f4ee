"""JSON documents that somebody changed: other values in places, and other bytes."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.mutate import mutated

_HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1 << 70,
    1.5,
    1e308,
    "",
    "0",
    "9" * 40,
    "../../etc/shadow",
    "-x",
    "--config=/etc/shadow",
    "a/b",
    "\x1b[2J\n::error::x",
    "\u202e",
    "\ud800",
    "0/0",
    "FFFFFFFF/FFFFFFFF",
    "FFFFFFFFFFFFFFFFFFFFFFFF",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-13-45T00:00:00Z",
    "x" * 20_000,
    [],
    {},
    [[]],
    [None],
    {"": None},
)


def answers(document: Any) -> st.SearchStrategy[str]:
    """Return texts of `document` with hostile values, or with mutated bytes."""
    return st.one_of(_reshaped(document), _mutated_text(document))


def _mutated_text(document: Any) -> st.SearchStrategy[str]:
    return mutated(json.dumps(document).encode()).map(
        lambda content: content.decode(errors="backslashreplace")
    )


@st.composite
def _reshaped(draw: st.DrawFn, document: Any) -> str:
    """Replace, remove or double one to four values anywhere in the document."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(changed))
        if not places:
            break
        parent, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(("replace", "remove", "add"))):
            case "replace":
                parent[key] = copy.deepcopy(draw(st.sampled_from(_HOSTILE)))
            case "remove":
                del parent[key]
            case _ if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[key]))
            case _:
                parent["added"] = copy.deepcopy(parent[key])
    return json.dumps(changed)


def _places(value: Any) -> Any:
    """Yield each place of a value: its parent, and its key or index there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)
