"""Files of one job: their names differ by a date or a number, and a pattern stands for all."""

from __future__ import annotations

import glob
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_DAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_CHANGES = re.compile(
    rf"[0-9]+(?:[-_.:T+ ]?[0-9]+)*Z?|(?<![a-z])(?:{_DAY}|{_MONTH})(?![a-z])", re.IGNORECASE
)
"""What differs from one day to the next: digits with what separates them, names of days, of months.
"""


def shape(name: str) -> str:
    """Return the name with a star for each part that may change; the key of a group."""
    return _CHANGES.sub("*", name)


def changes(name: str) -> bool:
    """Return whether the next file of this job will have another name."""
    return _CHANGES.search(name) is not None


def pattern_for(names: Collection[str], others: Collection[str]) -> str | None:
    """Return a glob for files of one shape that matches no other file; None if there is none.

    Args:
        names: Of the group; they have the same shape.
        others: Of all other files of the directory.
    """
    first = next(iter(names))
    fixed = _CHANGES.split(first)
    for star in ("*", "[0-9]*"):
        pattern = star.join(glob.escape(part) for part in fixed)
        matching = re.compile(glob_expression(pattern))
        if all(map(matching.fullmatch, names)) and not any(map(matching.fullmatch, others)):
            return pattern
    return None


def glob_expression(pattern: str) -> str:
    """Return the regular expression of a glob for one name."""
    from fnmatch import translate

    return translate(pattern)


def escaped(path: Path) -> str:
    """Return a path as a glob that stands for it alone."""
    return glob.escape(str(path))
