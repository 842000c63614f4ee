"""How reports show numbers, times, and text from outside. Imports nothing of ours."""

from __future__ import annotations

from datetime import UTC, datetime

NOT_MEASURED = "not measured"
"""Shown for a missing measurement, never zero."""

UNKNOWN = "not known"
"""Shown for a missing fact."""

TEXT_LIMIT = 20_000
"""Characters kept of one message, so that a page stays usable. evidence.json has all of it."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SHORTEST = 0.001
_KIB = 1024


def capped(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return `text`, cut after `limit` characters, with a note about the cut."""
    if len(text) <= limit:
        return text
    left_out = f"{len(text) - limit} of {len(text)} characters left out here"
    return f"{text[:limit]}\n[{left_out}; evidence.json has them all]"


def one_line(text: str, limit: int = 400) -> str:
    """Return the first line of `text` that is not blank, cut to `limit` characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def duration(seconds: float | None) -> str:
    """Return a rounded duration, e.g. ``4.2 s``, ``12 min 3 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds is None:
        return NOT_MEASURED
    return f"-{_length(-seconds)}" if seconds < 0 else _length(seconds)


def _length(seconds: float) -> str:
    if round(seconds, 1) < _MINUTE:
        return _below_a_minute(seconds)
    # Round first, then choose the unit: otherwise 3599.6 s would be shown as 60 min.
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
    """Return a duration in seconds with milliseconds, e.g. ``723.400 s``."""
    return NOT_MEASURED if seconds is None else f"{seconds:.3f} s"


def both(seconds: float | None) -> str:
    """Return a duration rounded and exactly, e.g. ``12 min 3 s (723.400 s)``.

    Below a minute the exact form is enough.
    """
    if seconds is None or abs(seconds) < _MINUTE:
        return exact(seconds)
    return f"{duration(seconds)} ({exact(seconds)})"


def share(part: float, whole: float) -> str:
    """Return `part` as a percentage of `whole`; "" if `whole` is not positive."""
    return f"{100 * part / whole:.1f} %" if whole > 0 else ""


def size(number: int | None) -> str:
    """Return a number of bytes in binary units, e.g. ``1.5 KiB (1536 bytes)``."""
    if number is None:
        return UNKNOWN
    value = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if value < _KIB or unit == "TiB":
            break
        value /= _KIB
    return f"{number} bytes" if unit == "bytes" else f"{value:.1f} {unit} ({number} bytes)"


def moment(value: datetime | None) -> str:
    """Return a point in time in UTC, with milliseconds if there are any."""
    if value is None:
        return UNKNOWN
    text = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"{text[:-3].removesuffix('.000')} UTC"


def _pair(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {large_name}" + (f" {rest} {small_name}" if rest else "")
