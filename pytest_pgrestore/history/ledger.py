"""The history as a whole: adds runs, reads them back, and names what is missing or damaged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.history import records
from pytest_pgrestore.history.entry import digest_of, entry_of, from_bytes, to_bytes
from pytest_pgrestore.history.pruning import removable
from pytest_pgrestore.history.records import Acceptance
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.reports.format import moment

if TYPE_CHECKING:
    from re import Pattern

    from pytest_pgrestore.history.entry import Entry
    from pytest_pgrestore.history.store import Store
    from pytest_pgrestore.model.evidence import Evidence

_TIME = "%Y%m%dT%H%M%SZ"

_LOOKED_BACK = 50
"""Newest files among which the last ones are looked for when one is added.

No run follows one that ended while fifty others did: nothing tells that such a file is missing.
"""

_AHEAD = timedelta(days=1)
"""A run that ends later than this from now was on a machine with a wrong clock, or is read on one.

Until that moment comes, it would be the last drill of its source whatever is drilled in between.
"""


@dataclass(frozen=True, slots=True)
class _Damage:
    """Something wrong with a history.

    Attributes:
        digest: Of the file, or of the one that is missing.
        text: A sentence.
        until: When the run ended at the latest that is not known by it.
    """

    digest: str
    text: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What a history holds.

    Attributes:
        entries: In the order of their runs' ends.
        problems: Files that are damaged, or were followed and are not there; a sentence each.
        accepted: Decisions about such problems, which are no longer among them; oldest first.
        unknown_until: Runs up to here are missing or damaged, and that was accepted.
    """

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]
    accepted: tuple[Acceptance, ...] = ()
    unknown_until: datetime | None = None


class Ledger:
    """The history in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, evidence: Evidence, text: str) -> str:
        """Add a run, and return the name of its file.

        Args:
            evidence: Of the run.
            text: Of its file.

        Raises:
            HarnessError: It cannot be written, or is there already.
        """
        entry = entry_of(evidence, text, self._last_digests())
        name = f"{evidence.ended_at.astimezone(UTC).strftime(_TIME)}-{evidence.run_id}.json"
        self._store.create(name, to_bytes(entry))
        return name

    def read(self, now: datetime | None = None) -> Past:
        """Return all entries, and what is wrong with the history.

        Args:
            now: The present; without it no run is of the future.

        Raises:
            HarnessError: The store cannot be read.
        """
        entries, accepted, damage = self._read(now)
        decided = {digest: one.at for one in accepted for digest in one.damage}
        # It ended before somebody decided, whatever its name says.
        unknown = [
            min(one.until, decided[one.digest])
            for one in damage
            if one.until is not None and one.digest in decided
        ]
        # Its own time is not to be believed, also once it has come.
        ahead = {
            digest
            for digest, entry in entries.items()
            if digest in decided and entry.ended_at > decided[digest]
        }
        unknown += [decided[digest] for digest in ahead]
        believed = [entry for digest, entry in entries.items() if digest not in ahead]
        return Past(
            tuple(sorted(believed, key=lambda entry: entry.ended_at)),
            tuple(one.text for one in damage if one.digest not in decided),
            tuple(sorted(accepted, key=lambda one: one.at)),
            max(unknown, default=None),
        )

    def accept(self, reason: str, now: datetime) -> Acceptance | None:
        """Record that what is missing or damaged now was looked at; None if nothing is.

        Args:
            reason: Why that is all right.
            now: The present.

        Raises:
            HarnessError: The store cannot be read or changed.
        """
        _, accepted, damage = self._read(now)
        decided = {digest for one in accepted for digest in one.damage}
        left = {one.digest: one.text for one in damage if one.digest not in decided}
        if not left:
            return None
        data = records.accepted_bytes(found := Acceptance(now, reason, left))
        self._store.create(f"{_title(now, data)}.accepted.json", data)
        return found

    def prune(self, *, older_than: timedelta, keep: int, now: datetime) -> list[str]:
        """Remove old files, and return their names. Their digests are kept, in one new file.

        Args:
            older_than: Age from which a file is removed. See `removable` for what stays.
            keep: Newest entries that stay whatever their age.
            now: The present.

        Raises:
            HarnessError: The store cannot be changed.
        """
        files = self._store.read(self._names(records.RUN))
        names = list(files)
        limit = now - older_than
        past = names[: max(0, len(names) - keep)]
        old = removable(files, [name for name in past if (_time_of(name) or now) < limit])
        if not old:
            return []
        data = records.pruned_bytes(now, {name: digest_of(files[name]) for name in old})
        # First: a run that ends half-way must not look like damage.
        self._store.create(f"{_title(now, data)}.pruned.json", data)
        for name in old:
            self._store.delete(name)
        return old

    def _names(self, kind: Pattern[str]) -> list[str]:
        """Return the names of the files of a kind, in the order of their times."""
        return [name for name in self._store.names() if kind.fullmatch(name) is not None]

    def _last_digests(self) -> set[str]:
        """Return the digests of the entries that none of the newest ones follows."""
        digests: set[str] = set()
        followed: set[str] = set()
        for data in self._store.read(self._names(records.RUN)[-_LOOKED_BACK:]).values():
            try:
                followed |= set(from_bytes(data).previous)
            except ConfigError:
                continue  # damage is told to whoever reads
            digests.add(digest_of(data))
        return digests - followed

    def _read(
        self, now: datetime | None
    ) -> tuple[dict[str, Entry], list[Acceptance], list[_Damage]]:
        """Return the entries by their digests, the decisions, and all damage."""
        damage: list[_Damage] = []
        listed = self._names(records.RUN)
        files = self._store.read(listed)
        known = {digest_of(data) for data in files.values()}
        entries: dict[str, Entry] = {}
        followed: dict[str, tuple[str, Entry]] = {}
        for name, data in files.items():
            digest = digest_of(data)
            try:
                entry = entries[digest] = from_bytes(data)
            except ConfigError as exc:
                damage.append(_Damage(digest, f"{name}: {exc.problem}", _time_of(name)))
                continue
            followed |= dict.fromkeys(entry.previous, (name, entry))
            if now is not None and entry.ended_at - now > _AHEAD:
                at = moment(entry.ended_at)
                text = f"{name}: it ended at {at}, which is in the future here: look at the clocks"
                damage.append(_Damage(digest, text))
        # After the runs: what is pruned meanwhile is in a record before it is gone.
        pruned: dict[str, str] = {}
        for name, data in self._store.read(self._names(records.PRUNED)).items():
            try:
                pruned |= records.pruned_in(data)
            except ConfigError as exc:
                damage.append(_Damage(digest_of(data), f"{name}: {exc.problem}"))
        known |= set(pruned.values())
        damage += [
            _Damage(digest_of(name.encode()), f"{name} cannot be found again", _time_of(name))
            for name in listed
            if name not in files and name not in pruned
        ]
        damage += [
            _Damage(
                digest,
                f"{name} follows a run whose file is missing or was changed (sha256 {digest[:12]})",
                entry.ended_at,
            )
            for digest, (name, entry) in followed.items()
            if digest not in known
        ]
        return entries, self._accepted(damage), damage

    def _accepted(self, damage: list[_Damage]) -> list[Acceptance]:
        """Return the decisions about damage; one that is damaged itself is more of it."""
        found = []
        for name, data in self._store.read(self._names(records.ACCEPTED)).items():
            try:
                found.append(records.accepted_in(data))
            except ConfigError as exc:
                damage.append(_Damage(digest_of(data), f"{name}: {exc.problem}"))
        return found


def _title(now: datetime, data: bytes) -> str:
    return f"{now.astimezone(UTC).strftime(_TIME)}-{digest_of(data)[:12]}"


def _time_of(name: str) -> datetime | None:
    """Return when the run of a file ended, by its name; None of one that was not made here."""
    found = records.RUN.fullmatch(name)
    try:
        return None if found is None else datetime.strptime(found["at"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
