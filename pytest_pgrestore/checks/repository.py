"""Whether the drill left the place of the backups as it was: a cheap listing before and after it.

The listing is kept in a file, for whichever process of the run ends the drill.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAME = "repository untouched"

BEING_WRITTEN_SECONDS = 60.0
"""How long after its last change a file of a live archive may still grow: production copies it there."""

SHOWN = 3

_WAL = re.compile(r"([0-9A-F]{8})(?:[0-9A-F]{16}\b|\.history\b)")
_UNFINISHED = (".partial", ".tmp")
"""Ends of names that a live archive renames when they are complete."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Size and time of change, in nanoseconds, of every file.

    Attributes:
        taken: When, in seconds of the epoch.
        fixed: Files of the backup itself, which nobody has reason to touch.
        growing: Files of an archive that production writes to while we look.
    """

    taken: float
    fixed: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    growing: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def take(cls, fixed: Sequence[Path], growing: Sequence[Path]) -> Listing:
        """Look at files, and at everything below directories; what is not there is left out."""
        taken = time.time()
        return cls(
            taken,
            *(
                dict(entry for place in places for entry in _below(place))
                for places in (fixed, growing)
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able data."""
        return {"taken": self.taken, "fixed": dict(self.fixed), "growing": dict(self.growing)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Listing:
        """Return what `to_dict` was made from."""
        files = {
            kind: {path: (size, at) for path, (size, at) in data[kind].items()}
            for kind in ("fixed", "growing")
        }
        return cls(data["taken"], **files)


def remember(fixed: Sequence[Path], growing: Sequence[Path], state: Path) -> None:
    """List the files the backup lies in, before anything of the copy runs.

    Args:
        fixed: Places of the backup itself; with none at all there is no check.
        growing: Places of an archive that production writes to.
        state: Path without suffix, where the server's user cannot write.
    """
    if not fixed and not growing:
        return
    document = {
        "fixed": [str(path) for path in fixed],
        "growing": [str(path) for path in growing],
        "listing": Listing.take(fixed, growing).to_dict(),
    }
    _file(state).write_text(json.dumps(document), encoding="utf-8")


def look_again(state: Path) -> list[Check]:
    """Return what changed since `remember`, as a check; none where nothing was remembered."""
    try:
        document = json.loads(_file(state).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    fixed, growing = ([Path(path) for path in document[kind]] for kind in ("fixed", "growing"))
    return [compare(Listing.from_dict(document["listing"]), Listing.take(fixed, growing))]


def _file(state: Path) -> Path:
    # Not .json: the results of the run are those in this directory.
    return state.with_name(state.name + ".listing")


def compare(before: Listing, after: Listing) -> Check:
    """Return whether anything changed that production would not have changed itself."""
    wrong = [*_gone_or_changed(before.fixed, after.fixed)]
    wrong += [f"{path} is new" for path in sorted(after.fixed.keys() - before.fixed.keys())]
    wrong += _changed_in_archive(before, after)
    wrong += _foreign(before.growing, after.growing)
    files = len(before.fixed) + len(before.growing)
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return Check(
        name=NAME,
        # It says nothing about the backup, and that somebody, perhaps we, writes where backups are kept.
        verdict=Verdict.COULD_NOT_VERIFY if wrong else Verdict.PASSED,
        message=f"the repository changed during the drill: {'; '.join(wrong[:SHOWN])}{more}"
        if wrong
        else f"{files} files of the backup and its archive have the size and time they had before the drill",
        expected="no file changed, gone, or on a timeline of the copy",
        observed=f"{len(wrong)} differences",
    )


def _below(place: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    if not place.is_dir():
        yield from _facts(place)
        return
    for folder, _, names in os.walk(place):
        for name in names:
            yield from _facts(Path(folder) / name)


def _facts(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(found.st_mode):
        # A name that is not UTF-8 has to survive JSON.
        yield (
            str(path).encode(errors="surrogateescape").decode(errors="backslashreplace"),
            (
                found.st_size,
                found.st_mtime_ns,
            ),
        )


def _gone_or_changed(
    before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]
) -> Iterator[str]:
    for path, facts in before.items():
        if path not in after:
            yield f"{path} is gone"
        elif after[path] != facts:
            yield f"{path} changed"


def _changed_in_archive(before: Listing, after: Listing) -> list[str]:
    def settled(path: str, size: int, changed_at: int) -> bool:
        if path.endswith(_UNFINISHED):
            return False
        grew = path in after.growing and after.growing[path][0] > size
        return not grew or before.taken - changed_at / 1e9 > BEING_WRITTEN_SECONDS

    compared = {path: facts for path, facts in before.growing.items() if settled(path, *facts)}
    return list(_gone_or_changed(compared, after.growing))


def _foreign(
    before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]
) -> list[str]:
    """Return new files of the archive on another timeline than production's: a promoted copy would write such."""
    current = max(
        (timeline for path in before if (timeline := _timeline(path)) is not None), default=None
    )
    return [
        f"{path} is new, on another timeline than production's"
        for path in sorted(after.keys() - before.keys())
        if (timeline := _timeline(path)) is not None and timeline != current
    ]


def _timeline(path: str) -> int | None:
    match = _WAL.match(Path(path).name)
    return int(match[1], 16) if match else None
