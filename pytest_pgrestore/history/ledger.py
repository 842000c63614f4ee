"""The history as a whole: adds runs, reads them back, and names what is missing or damaged."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.history.entry import digest_of, entry_of, from_bytes, to_bytes
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.history.entry import Entry
    from pytest_pgrestore.history.store import Store
    from pytest_pgrestore.model.evidence import Evidence

_NAME = re.compile(r"(?P<at>\d{8}T\d{6}Z)-(?P<run>[A-Za-z0-9_.-]+)\.json")
_PRUNED = re.compile(r"(?P<at>\d{8}T\d{6}Z)-[A-Za-z0-9_.-]+\.pruned\.json")
_TIME = "%Y%m%dT%H%M%SZ"

_LOOKED_BACK = 50
"""Newest files among which the last ones are looked for when one is added.

A run that ended while fifty others did would begin a chain of its own, which reading tells.
"""


@dataclass(frozen=True, slots=True)
class Past:
    """What a history holds.

    Attributes:
        entries: In the order of their runs' ends.
        problems: Files that are damaged, or were followed and are not there; a sentence each.
    """

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


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

    def read(self) -> Past:
        """Return all entries, and what is wrong with the history.

        Raises:
            HarnessError: The store cannot be read.
        """
        entries: list[Entry] = []
        problems: list[str] = []
        known = self._pruned()
        followed: dict[str, str] = {}
        for name, data in self._store.read(self._entries()).items():
            known.add(digest_of(data))
            try:
                entry = from_bytes(data)
            except ConfigError as exc:
                problems.append(f"{name}: {exc.problem}")
                continue
            entries.append(entry)
            followed |= dict.fromkeys(entry.previous, name)
        problems += [
            f"{name} follows a run whose file is missing or was changed (sha256 {digest[:12]})"
            for digest, name in followed.items()
            if digest not in known
        ]
        entries.sort(key=lambda entry: entry.ended_at)
        return Past(tuple(entries), tuple(problems))

    def prune(self, *, older_than: timedelta, keep: int, now: datetime) -> list[str]:
        """Remove old files, and return their names. Their digests are kept, in one new file.

        What stays whatever its age: the last drill and the last green drill of each source, which
        are its standing, and what cannot be read, which is damage to look at.

        Args:
            older_than: Age from which a file is removed.
            keep: Newest entries that stay whatever their age.
            now: The present.

        Raises:
            HarnessError: The store cannot be changed.
        """
        names = self._entries()
        limit = now - older_than
        files = self._store.read(names)
        needed = _needed(files)
        old = [
            name
            for name in names[: max(0, len(names) - keep)]
            if _time_of(name) < limit and name not in needed
        ]
        if not old:
            return []
        digests = {name: digest_of(files[name]) for name in old}
        record = {"pruned_at": now.isoformat(), "sha256": digests}
        title = f"{now.astimezone(UTC).strftime(_TIME)}-{digest_of(str(digests).encode())[:12]}"
        # First: a run that ends half-way must not look like damage.
        self._store.create(f"{title}.pruned.json", f"{json.dumps(record)}\n".encode())
        for name in old:
            self._store.delete(name)
        return old

    def _entries(self) -> list[str]:
        """Return the names of the files of runs, in the order of their ends."""
        return [
            name
            for name in self._store.names()
            if _NAME.fullmatch(name) is not None and _PRUNED.fullmatch(name) is None
        ]

    def _last_digests(self) -> set[str]:
        """Return the digests of the entries that none of the newest ones follows."""
        digests: set[str] = set()
        followed: set[str] = set()
        for data in self._store.read(self._entries()[-_LOOKED_BACK:]).values():
            try:
                followed |= set(from_bytes(data).previous)
            except ConfigError:
                continue  # damage is told to whoever reads
            digests.add(digest_of(data))
        return digests - followed

    def _pruned(self) -> set[str]:
        """Return the digests of the entries that were pruned."""
        found: set[str] = set()
        names = [name for name in self._store.names() if _PRUNED.fullmatch(name) is not None]
        for name, data in self._store.read(names).items():
            try:
                found |= set(json.loads(data)["sha256"].values())
            except (ValueError, LookupError, TypeError, AttributeError) as exc:
                raise HarnessError(
                    f"{name} in the history is damaged ({type(exc).__name__})",
                    hint="restore the file from a copy of the history.",
                ) from None
        return found


def _needed(files: Mapping[str, bytes]) -> set[str]:
    """Return the names of the files that say how the sources stand, and of damaged ones."""
    standing: dict[tuple[str, bool], str] = {}
    damaged = set()
    for name, data in files.items():
        try:
            entry = from_bytes(data)
        except ConfigError:
            damaged.add(name)
            continue
        for drill in entry.drills:
            standing[drill.source, False] = name
            if drill.verdict is Verdict.PASSED:
                standing[drill.source, True] = name
    return damaged | set(standing.values())


def _time_of(name: str) -> datetime:
    found = _NAME.fullmatch(name)
    text = found["at"] if found is not None else "00010101T000000Z"
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
