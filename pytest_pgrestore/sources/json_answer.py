"""The JSON that a backup tool or a command of the user prints: read with limits, value by value.

Part of it comes from the repository, so its author may have written anything: other types, numbers
out of every range, names that are paths or options. Each value is taken by a method that says what
it must be. Anything else is an `AnswerError`, which the caller turns into an error of ours.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_pgrestore.model.errors import ConfigError, HarnessError, PgRestoreError
from pytest_pgrestore.model.wal import Lsn, is_segment_name

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_BYTES = 24 << 20
"""Memory of the text of an answer. pgBackRest lists 180,000 WAL segments (3 TB) in it."""

MOST_VALUES = 1_000_000
"""Values of an answer. Each may take 100 bytes of memory, however short its text is."""

LONGEST_NAME = 255
"""Bytes of a file's name (NAME_MAX in Linux's limits.h)."""

LARGEST_SIZE = 1 << 60
"""Bytes of a backup: 1 EiB, more than any file system holds. It keeps sums below 64 bits."""

OLDEST, NEWEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Times of a backup. Outside of them arithmetic with dates soon overflows."""

_SHOWN = 100
"""Characters of a wrong value in a message."""

_MAJORS = (8, 99)
_TIMELINES = (1, 0xFFFF_FFFF)
_BITS_64 = (1 << 64) - 1
_DIGITS = re.compile(r"[0-9]{1,20}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+:@=,~-]*")
_CTIME = "%a %b %d %H:%M:%S %Y"


class AnswerError(ValueError):
    """An answer, or a value in it, is not what it must be; the message is the reason."""


class AnswerTooLargeError(AnswerError):
    """An answer is larger than we read: nothing was learned from it."""


@contextmanager
def understood(
    problem: str, hint: str, error: type[PgRestoreError] = HarnessError
) -> Iterator[None]:
    """Turn an `AnswerError` of the body into an error of ours, with the reason after `problem`."""
    try:
        yield
    except AnswerTooLargeError as exc:
        raise HarnessError(
            f"{problem}: {exc}",
            hint="keep fewer backups and less WAL in one repository, or drill another copy of it.",
        ) from None
    except AnswerError as exc:
        raise error(f"{problem}: {exc}", hint=hint) from None


@dataclass(frozen=True, slots=True)
class Answer:
    """A value of an answer.

    Attributes:
        value: What `json` made of it.
        place: Where it stands, for messages, as in ``backup[2].size``.
    """

    value: Any
    place: str = "the answer"

    def __getitem__(self, key: str) -> Answer:
        """Return the value of a key, which must be there. It may be null."""
        if key not in self._object():
            raise AnswerError(f"{self.place} lacks {key}")
        return self._at(key)

    def get(self, key: str) -> Answer | None:
        """Return the value of a key; None if the key is not there or null."""
        return None if self._object().get(key) is None else self._at(key)

    def each(self, key: str) -> Iterator[Answer]:
        """Yield the values of the list of a key; none if the key is not there or null."""
        found = self.get(key)
        return iter(()) if found is None else found.values()

    def values(self) -> Iterator[Answer]:
        """Yield the values of a list."""
        if not isinstance(self.value, list):
            self._refuse("a list")
        return (Answer(value, f"{self.place}[{at}]") for at, value in enumerate(self.value))

    def items(self) -> Iterator[tuple[str, Answer]]:
        """Yield the keys and values of an object."""
        return ((key, self._at(key)) for key in self._object())

    def text(self, *, longest: int = 10_000) -> str:
        """Return a text."""
        if not isinstance(self.value, str) or len(self.value) > longest:
            self._refuse(f"a text of at most {longest} characters")
        # JSON can spell half of a surrogate pair, which no report can be written with.
        return self.value.encode(errors="backslashreplace").decode()

    def name(self) -> str:
        """Return a text that is safe as the name of a file and as a word of a command.

        It has no separator, does not begin like an option, and is neither ``.`` nor ``..``.
        """
        if not is_name(self.value):
            self._refuse("a name: letters, digits and . _ - + : @ = , ~")
        found: str = self.value
        return found

    def segment(self) -> str:
        """Return the name of a WAL segment."""
        if not isinstance(self.value, str) or not is_segment_name(self.value):
            self._refuse("the name of a WAL segment")
        return self.value

    def number(self, lowest: int = 0, highest: int = _BITS_64) -> int:
        """Return a whole number, which may be written as a text."""
        value = self.value
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            self._refuse(f"a whole number from {lowest} to {highest}")
        return value

    def size(self) -> int:
        """Return a size in bytes."""
        return self.number(0, LARGEST_SIZE)

    def major(self) -> int:
        """Return a server major."""
        return self.number(*_MAJORS)

    def timeline(self) -> int:
        """Return the number of a timeline."""
        return self.number(*_TIMELINES)

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self._refuse("true or false")
        return self.value

    def lsn(self) -> Lsn:
        """Return a WAL position, written as PostgreSQL does."""
        try:
            return Lsn.parse(self.text(longest=32))
        except ConfigError:
            self._refuse("a WAL position")

    def moment(self) -> datetime:
        """Return a time in UTC, from ISO 8601 or from what ctime() of C returns for UTC.

        Without a zone it is UTC.
        """
        text = self.text(longest=64)
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            try:
                found = datetime.strptime(text, _CTIME).replace(tzinfo=UTC)
            except ValueError:
                self._refuse("a time")
        return self._sane(found if found.tzinfo is not None else found.replace(tzinfo=UTC))

    def epoch(self) -> datetime:
        """Return a time in UTC, from seconds since 1970."""
        return self._sane(datetime.fromtimestamp(self.number(0, 1 << 33), UTC))

    def _sane(self, found: datetime) -> datetime:
        if not OLDEST < found < NEWEST:
            self._refuse(f"a time between {OLDEST.year} and {NEWEST.year}")
        return found.astimezone(UTC)

    def _at(self, key: str) -> Answer:
        return Answer(self._object()[key], f"{self.place}.{key[:LONGEST_NAME]}")

    def _object(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            self._refuse("an object")
        return self.value

    def _refuse(self, wanted: str) -> NoReturn:
        shown = "something else"
        if not isinstance(self.value, list | dict):
            shown = ascii(_short(self.value) if isinstance(self.value, str) else self.value)
        raise AnswerError(f"{self.place} is {shown} and not {wanted}")


def parse(text: str, what: str = "the answer", *, strict: bool = True) -> Answer:
    """Return the JSON in `text`.

    Args:
        text: The whole output of a tool.
        what: What it is, for messages.
        strict: Whether control characters in texts are an error.

    Raises:
        AnswerError: It is no JSON, too large, or too deep.
    """
    if text.__sizeof__() > LARGEST_BYTES:
        raise AnswerTooLargeError(f"it has more than {LARGEST_BYTES >> 20} MiB")
    # Every value but the first stands after one of these characters.
    if sum(map(text.count, ",:[{")) > MOST_VALUES:
        raise AnswerTooLargeError(f"it has more than {MOST_VALUES:,} values")
    try:
        return Answer(json.loads(text, strict=strict, parse_constant=_no_number), what)
    except RecursionError:
        raise AnswerError("it is nested too deeply") from None
    except ValueError as exc:  # a JSONDecodeError, an integer of too many digits, or _no_number
        raise AnswerError(f"it is no JSON: {_short(str(exc))}") from None


def parse_after_warnings(text: str) -> Answer:
    """Return the JSON object in `text`, as `parse`; lines without a brace may stand before it."""
    return parse(text[text.find("{") :] if "{" in text else text)


def is_name(text: object) -> bool:
    """Return whether `text` is safe as the name of a file and as a word of a command."""
    return isinstance(text, str) and len(text) <= LONGEST_NAME and bool(_NAME.fullmatch(text))


def _no_number(constant: str) -> NoReturn:
    raise AnswerError(f"{constant} is no number")


def _short(text: str) -> str:
    """Return as much of `text` as a message shows."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
