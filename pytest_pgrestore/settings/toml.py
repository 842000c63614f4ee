"""Reads TOML that people write, and reports all mistakes at once.

Each mistake has its place and the nearest known key. Imports pydantic; therefore imported inside
functions only.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    from pathlib import Path

_LINE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")
"""The place in the message of a `tomllib.TOMLDecodeError` (CPython 3.11 to 3.13)."""


def _duration(value: Any) -> Any:
    try:
        return parse_duration(value)
    except ConfigError as exc:
        # Without the value: it may come from a variable, and be a secret.
        raise ValueError(f"not a duration; {exc.hint}") from None


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""A length of time, spelled as users write it."""


class Table(BaseModel):
    """A TOML table that has known keys only, and is frozen.

    Attributes:
        renamed: Old names of keys, each with the new one, which the error about the old one shows.
    """

    renamed: ClassVar[Mapping[str, str]] = {}
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True
    )


TableT = TypeVar("TableT", bound=Table)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of the file at `path`.

    Raises:
        ConfigError: It cannot be read, or is not TOML; the message has the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as exc:
        line = _LINE.search(str(exc))
        place = f"{path}:{line[1]}" if line and line[1] else f"{path}"
        raise ConfigError(
            f"{place}: not valid TOML: {exc}", hint="mend the syntax in that line."
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text", hint="save the file as UTF-8.") from None
    except OSError as exc:
        raise ConfigError(
            f"could not read {path}: {exc.strerror}", hint="check its path and permissions."
        ) from None


def read_table(model: type[TableT], table: Any, where: str, mistakes: list[str]) -> TableT | None:
    """Return `table` as a `model`; None if there are mistakes.

    Args:
        model: Has the known keys and their types.
        table: The value in the file.
        where: Dotted place of the table; "" at the top of a file.
        mistakes: Every mistake is added to it, with its place.
    """
    if not isinstance(table, dict):
        mistakes.append(
            f"{where}: a table is expected here\nHINT: write [{where}] and keys below it."
        )
        return None
    try:
        return model.model_validate(table)
    except ValidationError as exc:
        mistakes += [
            _mistake(model, where, error)
            for error in exc.errors(include_url=False, include_context=False)
        ]
        return None


def _mistake(model: type[Table], where: str, error: Mapping[str, Any]) -> str:
    """Return one mistake as a problem and a hint.

    Args:
        model: Of the table.
        where: Dotted place of the table.
        error: One entry of pydantic's ``ValidationError.errors()``. Its message never holds the
            value, unless a validator of ours put it there.
    """
    key = ".".join(str(part) for part in error["loc"])
    place = ".".join(part for part in (where, key) if part)
    match error["type"]:
        case "extra_forbidden":
            return f"{place}: unknown key\nHINT: {_right_name(model, str(error['loc'][-1]))}"
        case "missing":
            return f"{place}: missing\nHINT: this key is required."
        case "value_error":
            problem, _, hint = error["msg"].removeprefix("Value error, ").partition("; ")
            return f"{place}: {problem}\nHINT: {hint}"
    problem = f"{error['msg'][:1].lower()}{error['msg'][1:]}"
    return f"{place}: {problem}\nHINT: see docs/configuration.md for what goes here."


def _right_name(model: type[Table], key: str) -> str:
    """Return the hint for an unknown key: its new name, or the nearest key."""
    if key in model.renamed:
        return f"it is called {model.renamed[key]} now."
    return known_names(key, keys_of(model))


def keys_of(model: type[Table]) -> list[str]:
    """Return the keys a user may write in the table."""
    return [field.alias or name for name, field in model.model_fields.items()]
