"""What the catalogue of a proposed source says: can it be read, and how often is a backup made?

Nothing is restored for it.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.proposal import ProposedKey
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
from pytest_pgrestore.sources.registry import make_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.settings.source_tables import SourceTable

_SECONDS = 60.0
_FEWEST = 3
"""Backups from which an interval is seen."""

_HOUR, _DAY = 3600.0, 86400.0
_MISSED = 2
"""Intervals after which a backup was missed."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When backups were made.

    Attributes:
        newest: When the newest one ended.
        interval: Between two of them, in the middle.
    """

    newest: datetime
    interval: timedelta

    def key(self, now: datetime) -> tuple[ProposedKey | None, str]:
        """Return the key `max_age`, or why there is none: the backups ended some time ago."""
        limit = _rounded(self.interval * _MISSED)
        words = _words(self.interval)
        age = now - self.newest
        if age < limit:
            comment = f"A backup is made every {words}: an older one means that the job has failed."
            return ProposedKey(value=_spelled(limit), comment=comment), ""
        return None, (
            f"The newest backup is {_words(age)} old, and before it one was made every {words}:"
            f' look after the job, then set max_age = "{_spelled(limit)}".'
        )


def read_catalogue(name: str, table: SourceTable, *, local: bool) -> list[Backup]:
    """Return the backups of a source.

    Args:
        name: Of the source.
        table: Its table of the settings file.
        local: Whether drills run on this machine. If they do not, a missing tool is no problem.

    Raises:
        PgRestoreError: The catalogue cannot be read, or the tool is not here.
    """
    source = make_source(name, table, _SECONDS)
    requirements = source.requirements
    if requirements is None:
        return source.backups()
    if shutil.which(requirements.program) is None:
        if not local and not requirements.on_host:
            return []  # it runs in a container
        raise HarnessError(
            f"source {name}: {requirements.program} is not on this machine",
            hint="install it, or run where the backups are made.",
        )
    # Tools' own configurations are written there; the user may not write elsewhere.
    with tempfile.TemporaryDirectory(prefix="pgrestore-init-") as scratch:
        return source.backups(HostToolRunner(requirements, Path(scratch), _SECONDS))


def rhythm_of(backups: Sequence[Backup]) -> Rhythm | None:
    """Return when backups were made; None if that is not seen."""
    ends = sorted(one.stopped_at for one in backups if one.stopped_at is not None)
    if len(ends) < _FEWEST or len(ends) < len(backups):
        return None
    gaps = [(later - sooner) for sooner, later in pairwise(ends)]
    interval = timedelta(seconds=median(gap.total_seconds() for gap in gaps))
    return Rhythm(ends[-1], interval) if interval >= timedelta(minutes=30) else None


def _rounded(length: timedelta) -> timedelta:
    """Return it as whole days, or as whole hours if it is less than two days."""
    unit = _DAY if length.total_seconds() > _DAY else _HOUR
    return timedelta(seconds=math.ceil(length.total_seconds() / unit) * unit)


def _spelled(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds / _HOUR:.0f}h" if seconds % _DAY else f"{seconds / _DAY:.0f}d"


def _words(length: timedelta) -> str:
    hours = length.total_seconds() / _HOUR
    return f"{hours / 24:.0f} days" if hours >= 36 else f"{max(1, round(hours))} hours"  # noqa: PLR2004 - a day and a half
