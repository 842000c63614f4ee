"""Figures and foreign text as people read them, the same in every report. Imports nothing of ours."""

from __future__ import annotations

import re
from datetime import UTC, datetime

NOT_MEASURED = "not measured"
"""What a missing figure shows as, never zero."""

UNKNOWN = "not known"
"""What a missing fact shows as."""

TEXT_LIMIT = 20_000
"""Characters kept of one message: a page can still be opened, the whole text is in evidence.json."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SHORTEST = 0.001
_KIB = 1024

# Not allowed in XML 1.0; and the controls of C1, joined by those that reorder what a reader sees (bidi): a hostile
# name must not be able to show as another.
_UNSHOWABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


def visible(text: str) -> str:
    """Return `text` with every character that XML forbids or a screen hides spelled out as ``#xHH``."""
    return _UNSHOWABLE.sub(lambda found: f"#x{ord(found.group()):02X}", text)


def capped(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return `text`, cut to `limit` characters with a note that says so."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[{len(text) - limit} of {len(text)} characters left out here; evidence.json has them all]"


def one_line(text: str, limit: int = 400) -> str:
    """Return the first line of `text` that says something, cut to `limit` characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def duration(seconds: float | None) -> str:
    """Return a length of time as people say it, e.g. ``4.2 s``, ``12 min 3 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds is None:
        return NOT_MEASURED
    return f"-{_length(-seconds)}" if seconds < 0 else _length(seconds)


def _length(seconds: float) -> str:
    if round(seconds, 1) < _MINUTE:
        return _below_a_minute(seconds)
    # Rounded first, then the unit chosen: otherwise an hour less a moment reads 60 min.
    whole = round(seconds)
    if whole < _HOUR:
        return _pair(whole, _MINUTE, "min", 1, "s")
    whole = round(seconds / _MINUTE) * _MINUTE
    if whole < _DAY:
        return _pair(whole, _HOUR, "h", _MINUTE, "min")
    return _pair(round(seconds / _HOUR) * _HOUR, _DAY, "d", _HOUR, "h")


def _below_a_minute(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    if seconds < _SHORTEST:
        return f"under {_SHORTEST} s"
    return f"{seconds:.3f} s" if seconds < 1 else f"{seconds:.1f}".removesuffix(".0") + " s"


def exact(seconds: float | None) -> str:
    """Return a length of time to the millisecond, e.g. ``723.400 s``."""
    return NOT_MEASURED if seconds is None else f"{seconds:.3f} s"


def both(seconds: float | None) -> str:
    """Return a length of time as people say it, and exactly; below a minute the exact figure says both."""
    if seconds is None or abs(seconds) < _MINUTE:
        return exact(seconds)
    return f"{duration(seconds)} ({exact(seconds)})"


def share(part: float, whole: float) -> str:
    """Return `part` as a percentage of `whole`; empty where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole > 0 else ""


def size(number: int | None) -> str:
    """Return a number of bytes in binary units, e.g. ``1.2 GiB``."""
    if number is None:
        return UNKNOWN
    value = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if value < _KIB or unit == "TiB":
            break
        value /= _KIB
    return f"{number} bytes" if unit == "bytes" else f"{value:.1f} {unit} ({number} bytes)"


def moment(value: datetime | None) -> str:
    """Return a point in time in UTC, with milliseconds where it has them."""
    if value is None:
        return UNKNOWN
    text = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"{text[:-3].removesuffix('.000')} UTC"


def _pair(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {large_name}" + (f" {rest} {small_name}" if rest else "")
