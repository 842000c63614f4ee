"""How a JSON document or an array differs from the expected one: part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.answer import shown
from pytest_pgrestore.assertions.operand import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def same(value: Any, wanted: Any) -> bool:
    """Return whether two documents are the same: in Python alone, true is equal to 1."""
    match value, wanted:
        case dict(), dict():
            return value.keys() == wanted.keys() and all(
                same(part, wanted[name]) for name, part in value.items()
            )
        case list(), list():
            return len(value) == len(wanted) and all(map(same, value, wanted))
        case _:
            return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def differences(value: Any, wanted: Any, shows: bool, path: str = "") -> Iterator[str]:
    """Yield a line for each part that differs.

    Args:
        value: What the database holds. Its values, and keys that are not expected, are rows.
        wanted: What the author expects. It is shown always.
        shows: Whether the author lets messages show the values.
        path: The place in the document, such as ``features[0]``.
    """
    begins = f"{path}: " if path else ""
    match value, wanted:
        case dict(), dict():
            for name, part in wanted.items():
                inner = f"{path}.{name}" if path else str(name)
                if name not in value:
                    yield f"{inner} is missing"
                elif not same(value[name], part):
                    yield from differences(value[name], part, shows, inner)
            more = [name for name in value if name not in wanted]
            if more:
                names = f": {', '.join(map(shown, more))}" if shows else ""
                yield f"{begins}{len(more)} more key{'s' * (len(more) != 1)}{names}"
        case list(), list() if len(value) == len(wanted):
            for number, (part, other) in enumerate(zip(value, wanted, strict=True)):
                if not same(part, other):
                    yield from differences(part, other, shows, f"{path}[{number}]")
        case _:
            told = shown(wanted), shown(value)
            if shows and told[0] == told[1]:  # a text and a number, for example
                told = f"{kind_of(wanted)} {told[0]}", f"{kind_of(value)} {told[1]}"
            found = f"observed {told[1]}" if shows else _size(value)
            yield f"{begins}expected {told[0]}, {found}"


def _size(value: Any) -> str:
    """Return what may be said of a value that is not shown."""
    return f"observed a list of {len(value)}" if isinstance(value, list) else "observed another one"
