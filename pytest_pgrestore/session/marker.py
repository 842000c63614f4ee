"""The arguments of the marker `pgrestore`, merged from all markers of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.settings.find_file import FILE_NAME
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

ARGUMENTS = ("source", "target", "timeline", "inclusive", "rto", "rpo", "database")
"""Of the marker and of ``pgrestore.restore(...)``; also the keys of a drill file."""

OF_TEST = ("severity", "timeout")
"""Of the marker alone: they are about one test, and not about its drill."""


KEYS_OF_SOURCES = frozenset(
    {"backup", "freshness", "live_conninfo", "max_age", "path", "superuser", "type"}
)
"""Keys of a source's table that one may take for arguments of a drill."""

HINT_TO_SOURCE = f"it is a key of the source: write it below [sources.NAME] in {FILE_NAME}."


def call_arguments(
    source: str | None, more: tuple[Any, ...], given: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of ``pgrestore.restore(...)``, and what is wrong with them.

    Args:
        source: The first one.
        more: Others without a name, which it does not take.
        given: Those with a name.
    """
    wrong = []
    if more:
        wrong.append(
            "pgrestore.restore() takes one positional argument, the source\n"
            f"HINT: write the others by name: {', '.join(ARGUMENTS[1:])}."
        )
    for name in given:
        if name in OF_TEST:
            hint = f"it is of a test, give it to the marker: @pytest.mark.pgrestore({name}=...)."
        elif name in KEYS_OF_SOURCES:
            hint = HINT_TO_SOURCE
        elif name not in ARGUMENTS:
            hint = known_names(name, ARGUMENTS)
        else:
            continue
        wrong.append(f"pgrestore.restore() has no argument {name}\nHINT: {hint}")
    known = {name: value for name, value in given.items() if name in ARGUMENTS}
    return {"source": source} | known, wrong


def marker_arguments(markers: Iterable[pytest.Mark]) -> tuple[dict[str, Any], list[str]]:
    """Return the merged arguments of `markers`, and what is wrong with them.

    Args:
        markers: The nearest one first; its arguments win. A marker that names another source is
            about another drill: it is ignored, and so are those behind it. ``inclusive`` belongs
            to the target of the same marker.
    """
    merged: dict[str, Any] = {}
    wrong: list[str] = []
    for marker in markers:
        found, mistakes = _arguments_of(marker)
        wrong += mistakes
        source, other = merged.get("source"), found.get("source")
        if source is not None and other is not None and source != other:
            break
        if "target" in merged:
            found.pop("inclusive", None)
        merged = {name: value for name, value in found.items() if value is not None} | merged
    return merged, wrong


def _right_place(name: str) -> str:
    """Return the hint for an argument that there is not."""
    if name in KEYS_OF_SOURCES:
        return HINT_TO_SOURCE
    return known_names(name, (*ARGUMENTS, *OF_TEST))


def _arguments_of(marker: pytest.Mark) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of one marker by name, and what is wrong with them."""
    found = dict(marker.kwargs)
    wrong = []
    if len(marker.args) > 1 or (marker.args and "source" in found):
        wrong.append(
            "the marker pgrestore takes one positional argument, the source\n"
            "HINT: write the others by name: " + ", ".join(ARGUMENTS[1:]) + "."
        )
    if marker.args:
        found["source"] = marker.args[0]
    wrong += [
        f"unknown marker argument {name}\nHINT: {_right_place(name)}"
        for name in found
        if name not in (*ARGUMENTS, *OF_TEST)
    ]
    return found, wrong
