"""How a JSON document or an array differs from the expected one: part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.answer import shown

if TYPE_CHECKING:
    from collections.abc import Iterator


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
                elif value[name] != part:
                    yield from differences(value[name], part, shows, inner)
            more = [name for name in value if name not in wanted]
            if more:
                names = f": {', '.join(map(shown, more))}" if shows else ""
                yield f"{begins}{len(more)} more key{'s' * (len(more) != 1)}{names}"
        case list(), list() if len(value) == len(wanted):
            for number, (part, other) in enumerate(zip(value, wanted, strict=True)):
                if part != other:
                    yield from differences(part, other, shows, f"{path}[{number}]")
        case _:
            found = f"observed {shown(value)}" if shows else _size(value)
            yield f"{begins}expected {shown(wanted)}, {found}"


def _size(value: Any) -> str:
    """Return what may be said of a value that is not shown."""
    return f"observed a list of {len(value)}" if isinstance(value, list) else "observed another one"
