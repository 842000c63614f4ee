"""The base of all values of the evidence: it makes their texts visible. Imports only `visible`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.visible import visible_lines, visible_message

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY = "pgrestore"

COMPARED = {_KEY: "compared"}
"""Metadata of a field that stays as it is, because it is compared with the user's settings."""

WITH_LINES = {_KEY: "with lines"}
"""Metadata of a field whose text has lines of ours or of the user's."""


@dataclass(frozen=True, slots=True)
class VisibleValue:
    """A value whose texts a backup may have written: they are made visible when it is made.

    pydantic calls `__post_init__` too, so this holds for evidence that is read from a file.
    """

    def __post_init__(self) -> None:
        """Replace every text."""
        for field in fields(self):
            if field.metadata != COMPARED:
                shown = visible_lines if field.metadata == WITH_LINES else visible_message
                value = _replaced(getattr(self, field.name), shown)
                object.__setattr__(self, field.name, value)


def _replaced(value: Any, shown: Callable[[str], str]) -> Any:
    """Return `value` with its texts `shown`; the values of the evidence in it are done already."""
    if type(value) is str:
        return shown(value)
    if type(value) is tuple:
        return tuple(_replaced(entry, shown) for entry in value)
    if type(value) is dict:
        return {_replaced(name, shown): _replaced(entry, shown) for name, entry in value.items()}
    return value
