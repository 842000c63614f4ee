"""Mistakes that pydantic finds in a table, in our words: a problem with its place, and one hint.

No message holds a value: it may come from a variable, and be a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from pytest_pgrestore.settings.suggest import known_names, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_KINDS = {
    "string_type": ("a text", "write it in quotes."),
    "path_type": ("a text", "write the path in quotes."),
    "int_type": ("a whole number", "write it without quotes."),
    "int_from_float": ("a whole number", "write it without a fraction."),
    "float_type": ("a number", "write it without quotes."),
    "bool_type": ("true or false", "write it without quotes."),
    "list_type": ("a list", 'write ["...", "..."].'),
    "dict_type": ("a table", "write [{place}] and keys below it."),
    "model_type": ("a table", "write [{place}] and keys below it."),
    "string_pattern_mismatch": ("a size", "write a number with k, m or g: 512m or 2g."),
}
"""What was expected and how it is spelled, by pydantic's type of the error."""

_LIMITS = ("greater_than", "less_than")

_ASKS = "Input should be "
"""Begins pydantic's message about a word or a limit (pydantic 2)."""

_BASIC = frozenset({"str", "int", "float", "bool"})


def mistakes_of(
    model: type[BaseModel], where: str, errors: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield each mistake as a problem and a hint.

    Args:
        model: Of the table.
        where: Dotted place of the table; "" at the top of a file.
        errors: pydantic's ``ValidationError.errors()``.
    """
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    seen = set()
    for error in errors:
        location = _without_tag(error["loc"])
        if error["type"] == "missing" and _is_misspelt(location, unknown):
            continue  # the unknown key tells it
        key = ".".join(map(str, location))
        place = ".".join(part for part in (where, key) if part)
        if place not in seen:
            seen.add(place)
            problem, hint = _words(model, place, location, error)
            yield f"{place}: {problem}\nHINT: {hint}"


def _words(
    model: type[BaseModel], place: str, location: tuple[Any, ...], error: Mapping[str, Any]
) -> tuple[str, str]:
    """Return problem and hint of one mistake."""
    kind, message = str(error["type"]), str(error["msg"])
    table = _table_at(model, location[:-1])
    hint = "write a value of the kind that is named above."
    found = f"{message[:1].lower()}{message[1:]}", hint
    match kind:
        case "extra_forbidden":
            found = "unknown key", _right_name(table, str(location[-1]))
        case "missing":
            found = "missing", "add it: this key is required."
        case "value_error":
            problem, _, hint = message.removeprefix("Value error, ").partition("; ")
            found = problem, hint
        case "literal_error":
            found = "unknown word", f"write {message.removeprefix(_ASKS)}."
        case "too_short":
            found = "empty", "write at least one, or leave the key out."
        case "list_type" if _entry_of(table, str(location[-1])) is not None:
            found = "one table is written where several may be", f"write [[{place}]] in its place."
        case "dict_type" | "model_type" if any(isinstance(part, int) for part in location):
            # A header of its own would be that of the last table in the list.
            found = "a table is expected here", f"write {location[-1]} = {{ key = value }}."
        case _ if kind in _KINDS:
            expected, hint = _KINDS[kind]
            found = f"{expected} is expected here", hint.format(place=place)
        case _ if kind.startswith(_LIMITS):
            found = "out of range", f"write a number {message.removeprefix(_ASKS)}."
    return found


def _without_tag(location: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a location without the part that pydantic adds for one type of several."""
    last = str(location[-1]) if len(location) > 1 else ""
    return location[:-1] if last in _BASIC or "[" in last else location


def _is_misspelt(location: tuple[Any, ...], unknown: Sequence[tuple[Any, ...]]) -> bool:
    """Return whether the key at `location` is there under a name that is almost right."""
    return any(
        other[:-1] == location[:-1] and nearest(str(other[-1]), [str(location[-1])]) is not None
        for other in unknown
    )


def _table_at(model: type[BaseModel], location: tuple[Any, ...]) -> type[BaseModel]:
    """Return the table that a location in `model` leads to."""
    for part in location:
        model = _entry_of(model, str(part)) or model
    return model


def _entry_of(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """Return the table that the key `key` holds a list of; None if it holds none."""
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            return next(filter(_is_table, _inside(field.annotation)), None)
    return None


def _inside(annotation: Any) -> Iterator[Any]:
    """Yield the types that a type is made of, at every depth."""
    for inner in get_args(annotation):
        yield inner
        yield from _inside(inner)


def _is_table(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _right_name(model: type[BaseModel], key: str) -> str:
    """Return the hint for an unknown key: its new name, or the nearest key."""
    renamed: Mapping[str, str] = getattr(model, "renamed", {})
    if key in renamed:
        return f"it is called {renamed[key]} now."
    elsewhere: Mapping[str, str] = getattr(model, "elsewhere", {})
    if key in elsewhere:
        return elsewhere[key]
    return known_names(key, keys_of(model))


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys a user may write in the table."""
    return [field.alias or name for name, field in model.model_fields.items()]
