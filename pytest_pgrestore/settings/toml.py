"""Reads TOML that people write, and reports all mistakes at once.

Each mistake has its place and the nearest known key. Imports pydantic; therefore imported inside
functions only.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.settings.mistakes import mistakes_of

if TYPE_CHECKING:
    from pathlib import Path

OFF = "off"
"""Spelling of a margin that is never passed."""

_PERCENTAGE = re.compile(r"(\d{1,6}(?:\.\d+)?) ?%", re.ASCII)

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


def _margin(value: Any) -> Any:
    """Return a percentage as a fraction; ``off`` is infinite: nothing is ever that much more.

    Raises:
        ValueError: It is none, or 0.
    """
    if value == OFF:
        return math.inf
    found = _PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    if found is None or float(found[1]) == 0:
        raise ValueError(f'not a percentage; write "50%", or "{OFF}".')
    return float(found[1]) / 100


Margin = Annotated[float, BeforeValidator(_margin)]
"""A percentage, or ``off``."""


class Table(BaseModel):
    """A TOML table that has known keys only, and is frozen.

    Attributes:
        renamed: Old names of keys, each with the new one, which the error about the old one shows.
        elsewhere: Keys that belong in another table, each with the hint that says where.
    """

    renamed: ClassVar[Mapping[str, str]] = {}
    elsewhere: ClassVar[Mapping[str, str]] = {}
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
        # Editors on Windows begin a file with a byte order mark.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
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
        errors = exc.errors(include_url=False, include_context=False)
        mistakes += mistakes_of(model, where, errors)
        return None
