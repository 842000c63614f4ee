"""When a dump began: by its own words, by its file's name, or by its file's time.

A file's time proves nothing by itself, because a copy or a download is new. So the user has to
choose it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sources.dump.reading.zone_abbreviations import OFFSETS, ZONES

MODIFIED = "modified"
"""Value of `taken_at` that chooses the file's time."""

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?")
_UTC = frozenset({"UTC", "GMT", "UCT", "Z", "ZULU"})
_FIELDS = {
    "Y": r"(?P<Y>[0-9]{4})",
    "m": r"(?P<m>[0-9]{2})",
    "d": r"(?P<d>[0-9]{2})",
    "H": r"(?P<H>[0-9]{2})",
    "M": r"(?P<M>[0-9]{2})",
    "S": r"(?P<S>[0-9]{2})",
    "z": r"(?P<z>Z|[+-][0-9]{2}(?::?[0-9]{2})?)",
    "s": r"(?P<s>[0-9]{1,11})",
    "%": "%",
}
_HINT = (
    'write "modified", or a pattern for the name with %Y %m %d %H %M %S and %z (or %s for seconds'
    ' since 1970); without %z add the zone behind a space: "shop-%Y-%m-%d.dump Europe/Berlin".'
)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a dump began.

    Attributes:
        at: The moment; None if what the dump says cannot be read as one.
        told_by: Who said so, in words for the report.
    """

    at: datetime | None
    told_by: str


def zone_of(word: str, local: datetime) -> tzinfo | None:
    """Return the zone that a word of pg_dump means at a local time; None for an unknown word.

    Args:
        word: What strftime(3) wrote for ``%Z``: an abbreviation, or an offset.
        local: The time beside it.
    """
    offset = _OFFSET.fullmatch(word)
    if offset is not None:
        east = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        try:
            return timezone(east if offset[1] == "+" else -east)
        except ValueError:
            return None  # a day or more
    if word.upper() in _UTC:
        return UTC
    seconds = _SECONDS.get(word)
    if seconds is not None:
        return timezone(timedelta(seconds=seconds), word)
    return _named(_ZONE_NAMES[word], local) if word in _ZONE_NAMES else None


def started_on(text: str) -> Moment:
    """Return the moment of the line ``-- Started on``, without these words.

    Source: dumpTimestamp of src/bin/pg_dump/pg_backup_archiver.c; on Windows there is no zone.
    """
    told_by = f"the dump's line `Started on {text}`"
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?: (.+))?", text)
    if match is None:
        return Moment(None, f"{told_by}, which is no date and time")
    try:
        local = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the zone comes next
    except ValueError:
        return Moment(None, f"{told_by}, which is no date and time")
    if match[2] is None:
        return Moment(None, f"{told_by}, which has no zone")
    zone = zone_of(match[2], local)
    if zone is None:
        return Moment(None, f"{told_by}, whose zone {match[2]} PostgreSQL does not know")
    return Moment(_in_utc(local, zone), _read_as(told_by, match[2], local, zone))


def _read_as(told_by: str, word: str, local: datetime, zone: tzinfo) -> str:
    if word.upper() in _UTC or _OFFSET.fullmatch(word):
        return told_by
    offset = local.replace(tzinfo=zone).strftime("%z")
    return f"{told_by}, with {word} as {offset[:3]}:{offset[3:5]}, which it means to PostgreSQL"


def file_time(seconds: float) -> datetime:
    """Return the time of a file."""
    return datetime.fromtimestamp(seconds, UTC)


def teller(text: str | None, where: str) -> str | NamePattern | None:
    """Return the value of the setting `taken_at`: None, ``modified`` or a pattern.

    Raises:
        ConfigError: It is no pattern that tells a moment.
    """
    return text if text is None or text == MODIFIED else NamePattern(str(text), where)


class NamePattern:
    """A pattern for the moment in a file's name, such as ``shop-%Y%m%dT%H%M%S%z.dump``.

    ``*`` stands for any characters. A pattern without ``%z`` and ``%s`` ends with a space and a
    zone, because a moment without one can be half a day off.

    Args:
        pattern: The pattern.
        where: The setting, for errors.

    Raises:
        ConfigError: It has an unknown field, no date or no zone.
    """

    def __init__(self, pattern: str, where: str) -> None:
        self.pattern = pattern
        shape, _, zone = pattern.rpartition(" ")
        self._zone = _zone_called(zone) if shape else None
        if self._zone is None:
            shape = pattern
        found = re.split(r"%(.)|(\*)", shape)
        fields = set(found[1::3]) - {None, "%"}
        unknown = sorted(field for field in fields if field not in _FIELDS)
        if unknown:
            raise ConfigError(f"{where}: %{unknown[0]} means nothing there", hint=_HINT)
        if not ("s" in fields or {"Y", "m", "d"} <= fields):
            raise ConfigError(f"{where}: {pattern!r} has no date", hint=_HINT)
        if not (fields & {"z", "s"} or self._zone is not None):
            raise ConfigError(f"{where}: {pattern!r} has no zone", hint=_HINT)
        self._shape = _expression(found, where)

    def moment(self, name: str) -> Moment:
        """Return the moment in a file's name."""
        told_by = f"the file's name, by taken_at = {self.pattern!r}"
        match = self._shape.fullmatch(name)
        if match is None:
            return Moment(None, f"{told_by}, which {name} does not match")
        words = match.groupdict()
        try:
            return Moment(self._read(words), told_by)
        except (ValueError, OverflowError, OSError):
            return Moment(None, f"{told_by}, in which {name} is no date and time")

    def _read(self, words: dict[str, str]) -> datetime:
        if words.get("s"):
            return datetime.fromtimestamp(int(words["s"]), UTC)
        year, month, day = (int(words[field]) for field in ("Y", "m", "d"))
        hour, minute, second = (int(words.get(field) or 0) for field in ("H", "M", "S"))
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the zone is next
        zone = zone_of(words["z"], local) if "z" in words else self._zone
        if zone is None:
            raise ValueError(words)
        return _in_utc(local, zone)


def _expression(found: list[str], where: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern that was split at its fields and stars."""
    parts = [re.escape(found[0])]
    seen: set[str] = set()
    for field, star, text in zip(found[1::3], found[2::3], found[3::3], strict=True):
        if field in seen:
            raise ConfigError(f"{where}: %{field} is there twice", hint=_HINT)
        seen |= {field} - {"%"} if field else set()
        parts += [".*" if star else _field(field, parts[-1], text), re.escape(text)]
    return re.compile("".join(parts), re.DOTALL)


def _field(field: str, before: str, after: str) -> str:
    """Return the expression of a field; a star beside %s takes none of its digits."""
    if field != "s":
        return _FIELDS[field]
    first = "" if before[-1:].isdigit() else "(?<![0-9])"
    last = "" if after[:1].isdigit() else "(?![0-9])"
    return first + _FIELDS[field] + last


def _zone_called(name: str) -> tzinfo | None:
    """Return the zone behind a pattern: UTC, an offset or a name of the IANA database."""
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - of an offset, which is the same at any time
    if name.upper() in _UTC or _OFFSET.fullmatch(name):
        return zone_of(name, epoch)
    return _named(name, epoch) if "/" in name else None


def _named(name: str, local: datetime) -> tzinfo | None:
    try:
        zone = ZoneInfo(name)
        local.replace(tzinfo=zone).utcoffset()
    except (OSError, ValueError, KeyError):
        return None  # this machine has no such file
    return zone


def _in_utc(local: datetime, zone: tzinfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)


_SECONDS = {name: offset for offset, names in OFFSETS.items() for name in names.split()}
_ZONE_NAMES = {name: zone for zone, names in ZONES.items() for name in names.split()}
