"""When a timeline was written to: by the commits in its WAL, or by the list of a repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.wal import commits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.wal.segments import WalFile


@dataclass(frozen=True, slots=True)
class ActivityInWal:
    """Implements `production_timeline.Activity` by reading segments that are on this machine.

    Attributes:
        files: The segments by name. Those of them that are not there, or damaged, tell nothing.
        programs: PostgreSQL's programs of the major that wrote them.
    """

    files: Mapping[str, WalFile]
    programs: PostgresPrograms

    def first(self, names: Sequence[str], at: Lsn) -> datetime | None:
        """Return the time of the first commit or promotion at or after `at`."""
        there = self._there(names[: commits.LOOK_BACK])
        try:
            return commits.first_moment(there, at, self.programs)
        except BackupNotRestorable:
            return None

    def last(self, names: Sequence[str], at: Lsn) -> datetime | None:
        """Return the time of the last commit at or after `at`."""
        there = self._there(names[-commits.LOOK_BACK :])
        try:
            found = commits.last_end(there, self.programs)
        except BackupNotRestorable:
            return None
        return found.when if found is not None and found.lsn >= at else None

    def ran(self, names: Sequence[str], at: Lsn) -> datetime | None:
        """Return the time of the last checkpoint of a running server at or after `at`."""
        there = self._there(names[-commits.LOOK_BACK :])
        try:
            return commits.last_checkpoint(there, at, self.programs)
        except BackupNotRestorable:
            return None

    def _there(self, names: Sequence[str]) -> list[WalFile]:
        return [self.files[name] for name in names if name in self.files]


@dataclass(frozen=True, slots=True)
class ActivityInList:
    """Implements `production_timeline.Activity` by the times at which segments were stored.

    Good for a hint and for nothing else: a copy of a repository has new times.
    """

    stored_at: Mapping[str, datetime | None]

    def first(self, names: Sequence[str], at: Lsn) -> datetime | None:  # noqa: ARG002 - of the protocol
        """Return when the first of the segments was stored."""
        return min(self._times(names), default=None)

    def last(self, names: Sequence[str], at: Lsn) -> datetime | None:  # noqa: ARG002 - of the protocol
        """Return when the last of the segments was stored."""
        return max(self._times(names), default=None)

    def ran(self, names: Sequence[str], at: Lsn) -> datetime | None:
        """Return when the last of the segments was stored."""
        return self.last(names, at)

    def _times(self, names: Sequence[str]) -> list[datetime]:
        return [when for name in names if (when := self.stored_at.get(name)) is not None]
