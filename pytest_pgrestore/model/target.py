"""Where recovery stops. Pure values; imports only errors and WAL positions.

Source: PostgreSQL docs, "Recovery Target", settings recovery_target*.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.wal import Lsn

Timeline = int | Literal["latest", "current"]

_SPELLING = (
    "write latest, immediate, time:2026-06-15T14:30:00+00:00, lsn:16/B374D848, xid:4711"
    " or name:before_deployment."
)


@dataclass(frozen=True, slots=True)
class Latest:
    """Replay all WAL there is."""

    def __str__(self) -> str:
        """Return the spelling users write."""
        return "latest"


@dataclass(frozen=True, slots=True)
class Immediate:
    """Stop as soon as the backup is consistent, which is where it ended."""

    def __str__(self) -> str:
        """Return the spelling users write."""
        return "immediate"


@dataclass(frozen=True, slots=True)
class AtTime:
    """Stop after the last commit at or before `when` (before it, when not inclusive)."""

    when: datetime
    inclusive: bool = True

    def __post_init__(self) -> None:
        """Refuse a time without a zone."""
        if self.when.tzinfo is None:
            raise ConfigError(
                f"recovery target time {self.when.isoformat()} has no timezone",
                hint="append an offset, for example 2026-03-01T12:00:00+00:00.",
            )

    def __str__(self) -> str:
        """Return the spelling users write."""
        return f"time:{self.when.isoformat()}"


@dataclass(frozen=True, slots=True)
class AtLsn:
    """Stop after the record at `lsn` (before it, when not inclusive)."""

    lsn: Lsn
    inclusive: bool = True

    def __str__(self) -> str:
        """Return the spelling users write."""
        return f"lsn:{self.lsn}"


@dataclass(frozen=True, slots=True)
class AtXid:
    """Stop after transaction `xid` ended (before, when not inclusive).

    Transactions that committed earlier are in the copy, also those with a larger number.
    """

    xid: int
    inclusive: bool = True

    def __str__(self) -> str:
        """Return the spelling users write."""
        return f"xid:{self.xid}"


@dataclass(frozen=True, slots=True)
class AtName:
    """Stop at the restore point made by ``pg_create_restore_point(name)``."""

    name: str

    def __str__(self) -> str:
        """Return the spelling users write."""
        return f"name:{self.name}"


RecoveryTarget = Latest | Immediate | AtTime | AtLsn | AtXid | AtName


def parse_target(text: str) -> RecoveryTarget:
    """Return the target that `text` names.

    Raises:
        ConfigError: Unknown kind, missing value, a time without zone. A typo is never "latest".
    """
    kind, _, value = text.strip().partition(":")
    match kind, value.strip():
        case "latest", "" if ":" not in text:
            return Latest()
        case "immediate", "" if ":" not in text:
            return Immediate()
        case "time", value if value:
            return AtTime(_parse_time(value))
        case "lsn", value if value:
            return AtLsn(Lsn.parse(value))
        case "xid", value if value.isascii() and value.isdigit() and int(value) > 0:
            return AtXid(int(value))
        case "name", value if value:
            return AtName(value)
    raise ConfigError(f"unknown recovery target {text!r}", hint=_SPELLING)


def parse_timeline(value: int | str) -> Timeline:
    """Return the timeline to follow: a number, ``latest`` or ``current``.

    Raises:
        ConfigError: Anything else.
    """
    text = str(value).strip()
    match text:
        case "latest" | "current":
            return text
        case digits if digits.isascii() and digits.isdigit() and int(digits) > 0:
            return int(digits)
    raise ConfigError(
        f"unknown timeline {value!r}", hint="write latest, current or the number of a timeline."
    )


def exclusive(target: RecoveryTarget) -> RecoveryTarget:
    """Return `target` with the stop just before the point instead of just after it.

    Raises:
        ConfigError: The kind of target has no such choice: PostgreSQL ignores
            recovery_target_inclusive for it.
    """
    match target:
        case AtTime() | AtLsn() | AtXid():
            return replace(target, inclusive=False)
    raise ConfigError(
        f"target {target} cannot be exclusive",
        hint="inclusive = false goes with time:, lsn: and xid: targets.",
    )


def _parse_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"recovery target time {text!r} is not an ISO 8601 date and time", hint=_SPELLING
        ) from None
