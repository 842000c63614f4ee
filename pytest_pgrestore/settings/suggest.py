"""Suggestions for a mistyped name: the nearest known one, and all. Imports nothing of ours."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name among `known` that `word` probably stands for; None if none is near.

    Args:
        word: As the user wrote it.
        known: All names.
        cutoff: Likeness that is required: a ratio of difflib, from 0 to 1.
    """
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return found[0] if found else None


def known_names(word: str, known: Iterable[str]) -> str:
    """Return the text of a hint: the nearest name, and the list of all."""
    names = sorted(known)
    near = nearest(word, names)
    listed = ", ".join(names) or "none"
    return f"did you mean {near}? There are: {listed}." if near else f"there are: {listed}."
