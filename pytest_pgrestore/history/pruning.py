"""Which old files of a history may go, so that no drill looks better without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.history.entry import from_bytes
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from pytest_pgrestore.history.entry import Entry, PastDrill


def removable(files: Mapping[str, bytes], old: Collection[str]) -> list[str]:
    """Return the names of the old files that may go.

    What stays whatever its age: the last drill and the last green one of each source, what cannot
    be read, and a drill that was not green as long as an older green one of it stays.

    Args:
        files: All, in the order of their ends.
        old: Names of those that are old.
    """
    entries: dict[str, Entry] = {}
    kept = set(files) - set(old)
    for name, data in files.items():
        try:
            entries[name] = from_bytes(data)
        except ConfigError:
            kept.add(name)  # damage to look at
    kept |= _standing(entries)
    while more := _reds(entries, kept) - kept:
        kept |= more
    return [name for name in files if name not in kept]


def _standing(entries: Mapping[str, Entry]) -> set[str]:
    """Return the names of the files that say how the sources stand."""
    found: dict[tuple[str, bool], str] = {}
    for name, entry in entries.items():
        for drill in entry.drills:
            found[drill.source, False] = name
            if drill.verdict is Verdict.PASSED:
                found[drill.source, True] = name
    return set(found.values())


def _reds(entries: Mapping[str, Entry], kept: Collection[str]) -> set[str]:
    """Return the files of the last drills that were not green, where an older green one stays."""
    oldest: dict[str, datetime] = {}
    newest: dict[str, tuple[PastDrill, str]] = {}
    for name, entry in entries.items():
        for drill in entry.drills:
            if drill.verdict is not Verdict.PASSED:
                before = newest.get(drill.drill)
                if before is None or before[0].started_at <= drill.started_at:
                    newest[drill.drill] = drill, name
            elif name in kept:
                first = oldest.get(drill.drill, drill.started_at)
                oldest[drill.drill] = min(first, drill.started_at)
    return {
        name
        for key, (drill, name) in newest.items()
        if key in oldest and oldest[key] < drill.started_at
    }
