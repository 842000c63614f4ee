"""The texts of a report, each replaced by another one. Imports nothing of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def rewritten(value: Any, change: Callable[[str], str]) -> Any:
    """Return `value` with `change` made to every text in it.

    Lists, tuples and dictionaries are copied. pytest's representations of a failure
    (``_pytest._code``) are changed in place.
    """
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [rewritten(entry, change) for entry in value]
    if type(value) is tuple:
        return tuple(rewritten(entry, change) for entry in value)
    if isinstance(value, dict):
        return {rewritten(key, change): rewritten(entry, change) for key, entry in value.items()}
    if type(value).__module__.startswith("_pytest._code"):
        for name, entry in vars(value).items():
            vars(value)[name] = rewritten(entry, change)
    return value
