"""Files of one job: their names differ by a date or a number, and a pattern stands for all."""

from __future__ import annotations

import glob
import re
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.surroundings import entries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_DAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_CHANGES = re.compile(
    rf"[0-9]+(?:[-_.:T+ ]?[0-9]+)*Z?|(?<![a-z])(?:{_DAY}|{_MONTH})(?![a-z])", re.IGNORECASE
)
"""What differs from one day to the next: digits with what separates them, names of days, of months.
"""


_DATE = re.compile(
    rf"(?<![0-9])(?:19|20)[0-9]{{2}}[-_.]?[01][0-9]|(?<![a-z]){_DAY}(?![a-z])", re.IGNORECASE
)
_BEFORE_A_DATE = re.compile(r"[0-9]{1,3}[-_. ](?=(?:19|20)[0-9]{2}[-_.]?[01][0-9])")
_SHORT = re.compile(r"[0-9]{1,3}")
_WORD = re.compile(r"[a-z]{2}$", re.IGNORECASE)


def shape(name: str) -> str:
    """Return the name with a star for each part that may change; the key of a group."""
    return _CHANGES.sub("*", name)


def changes(name: str) -> bool:
    """Return whether the next file of this job will have another name."""
    return _CHANGES.search(name) is not None


def is_dated(name: str) -> bool:
    """Return whether a name has a date or a day of the week: the next file will have another."""
    return _DATE.search(name) is not None


def numbers_and_moments(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the parts of a dated name, each as a number that may name a job, and its moment.

    ``shop1-2026-03-01`` and ``2026-03-01_shop1`` are of the first shop. In ``03:00`` and
    ``01-03-2026`` no number is of a shop.
    """
    numbers, moments = [], []
    for part in _CHANGES.finditer(name):
        before = _BEFORE_A_DATE.match(part[0])
        number = before[0] if before is not None else ""
        if _SHORT.fullmatch(part[0]) and _WORD.search(name[: part.start()]) and is_dated(name):
            number = part[0]
        numbers.append(number)
        moments.append(part[0].removeprefix(number))
    return tuple(numbers), tuple(moments)


def pattern_for(names: Collection[str], others: Collection[str]) -> str | None:
    """Return a glob for files of one shape that matches no other file; None if there is none.

    Args:
        names: Of the group; they have the same shape.
        others: Of all other files of the directory.
    """
    for pattern in _patterns(next(iter(names))):
        matching = re.compile(glob_expression(pattern))
        if all(map(matching.fullmatch, names)) and not any(map(matching.fullmatch, others)):
            return pattern
    return None


def following(path: Path) -> str | None:
    """Return a glob for a file and the later ones of its job; None if there is none.

    Files beside it are of its job if they have its name but for the moment.
    """
    if not changes(path.name):
        return None
    numbers = numbers_and_moments(path.name)[0]
    beside = {path.name, *(one.name for one in entries(path.parent))}
    alike = {
        name
        for name in beside
        if shape(name) == shape(path.name) and numbers_and_moments(name)[0] == numbers
    }
    pattern = pattern_for(alike, beside - alike)
    return None if pattern is None else f"{escaped(path.parent)}/{pattern}"


def _patterns(name: str) -> Iterator[str]:
    """Yield globs for a name and those of its job, the widest first."""
    fixed = [glob.escape(part) for part in _CHANGES.split(name)]
    yield "*".join(fixed)
    yield "[0-9]*".join(fixed)
    numbers, moments = numbers_and_moments(name)
    if any(numbers) and any(moments):
        told = zip(numbers, moments, fixed[1:], strict=True)
        yield fixed[0] + "".join(
            f"{number}{'*' if moment else ''}{behind}" for number, moment, behind in told
        )


def glob_expression(pattern: str) -> str:
    """Return the regular expression of a glob for one name."""
    from fnmatch import translate

    return translate(pattern)


def escaped(path: Path) -> str:
    """Return a path as a glob that stands for it alone."""
    return glob.escape(str(path))
