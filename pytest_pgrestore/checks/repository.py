"""Whether the drill left the repository as it was: a listing of files before and after it.

The first listing is kept in a file, because another process of the run may end the drill.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAME = "repository untouched"

BEING_WRITTEN_SECONDS = 60.0
"""Age below which a file of a live archive may still grow: production is copying it there."""

SHOWN = 3
"""Differences that the message names."""

# Segments and history files, compressed or not (XLogFileName, TLHistoryFileName in PostgreSQL's
# src/include/access/xlog_internal.h).
_WAL = re.compile(r"([0-9A-F]{8})(?:[0-9A-F]{16}\b|\.history\b)")
_UNFINISHED = re.compile(r"\.(?:partial|tmp)(?:\.[^/]*)?$")
"""Ends of names that a live archive renames when the files are complete.

WAL-G writes ``NAME.lz4.tmp.TIME-NUMBER`` (observed with 3.0.9).
"""

_UNSEEN = (-1, 0)
"""Facts of a file that is there and shows neither size nor time."""

Facts: TypeAlias = "Mapping[str, tuple[int, int]]"
"""Size in bytes and time of change in nanoseconds, by path."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one time.

    Attributes:
        taken: Time of the listing, in seconds since the epoch.
        fixed: Files of the backup itself, which nobody has a reason to change.
        growing: Files of an archive that production writes to meanwhile.
    """

    taken: float
    fixed: Facts = field(default_factory=dict)
    growing: Facts = field(default_factory=dict)

    @classmethod
    def take(cls, fixed: Sequence[Path], growing: Sequence[Path]) -> Listing:
        """List files, and all files below directories. A path that is not there is left out."""
        return cls(time.time(), _facts_of(fixed), _facts_of(growing))

    def holds(self, place: Path) -> bool:
        """Return whether a file of the backup was seen at or below `place`."""
        name = _name(place)
        return any(
            facts != _UNSEEN and (path == name or path.startswith(f"{name}/"))
            for path, facts in self.fixed.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Return data that JSON can hold."""
        return {"taken": self.taken, "fixed": dict(self.fixed), "growing": dict(self.growing)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Listing:
        """Return the listing that `to_dict` returned `data` for."""
        files = {
            kind: {path: (size, at) for path, (size, at) in data[kind].items()}
            for kind in ("fixed", "growing")
        }
        return cls(data["taken"], **files)


def remember(fixed: Sequence[Path], growing: Sequence[Path], state: Path) -> None:
    """Save a listing of the repository, before anything of the copy runs.

    Without any path there is no listing, and no check.

    Args:
        fixed: Files and directories of the backup itself.
        growing: Files and directories of an archive that production writes to.
        state: Path to save it at, without suffix, where the server's user cannot write.
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
    """Return the check of what changed since `remember`; empty where no listing was saved."""
    try:
        document = json.loads(_file(state).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    fixed, growing = ([Path(path) for path in document[kind]] for kind in ("fixed", "growing"))
    before = Listing.from_dict(document["listing"])
    unseen = [place for place in fixed if not before.holds(place)]
    return [nothing_seen(unseen) if unseen else compare(before, Listing.take(fixed, growing))]


def nothing_seen(places: Sequence[Path]) -> Check:
    """Return the check for places of the backup in which no file was found before the drill.

    The restore took its files from elsewhere, or this user may not list them.
    """
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    named = ", ".join(_name(place) for place in places[:SHOWN])
    return Check(
        name=NAME,
        verdict=Verdict.COULD_NOT_VERIFY,
        message=f"nothing was compared: no file of the backup was found in {named}{more}; name the"
        " place that the tool reads, and let the user who runs pytest list it",
        expected="no file changed, gone, or on a timeline of the copy",
        observed="no file",
    )


def _file(state: Path) -> Path:
    # Not .json: files of that suffix in this directory are results of drills.
    return state.with_name(state.name + ".listing")


def compare(before: Listing, after: Listing) -> Check:
    """Return the check of changes that production would not make itself."""
    wrong = [
        *_gone_or_changed(before.fixed, after.fixed),
        *(f"{path} is new" for path in sorted(after.fixed.keys() - before.fixed.keys())),
        *_changed_in_archive(before, after),
        *_foreign(before.growing, after.growing),
    ]
    files = len(before.fixed) + len(before.growing)
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    same = (
        f"{files} files of the backup and its archive have the size and time they had before"
        " the drill"
    )
    return Check(
        name=NAME,
        # The backup may be good. Somebody, perhaps the drill, writes where backups are kept.
        verdict=Verdict.COULD_NOT_VERIFY if wrong else Verdict.PASSED,
        message=f"the repository changed during the drill: {'; '.join(wrong[:SHOWN])}{more}"
        if wrong
        else same,
        expected="no file changed, gone, or on a timeline of the copy",
        observed=f"{len(wrong)} differences",
    )


def _facts_of(places: Sequence[Path]) -> Facts:
    return dict(entry for place in places for entry in _below(place))


def _below(place: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    if not os.path.isdir(place):  # noqa: PTH112 - Path.is_dir raises where this one says no
        yield from _facts(place)
        return
    for folder, _, names in os.walk(place):
        for name in names:
            yield from _facts(Path(folder) / name)


def _facts(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        found = path.stat()  # a link named `latest` is the file that it leads to
    except FileNotFoundError:
        return
    except OSError:
        # Too long a path, no permission: it is there, and this is the same both times.
        yield _name(path), _UNSEEN
        return
    if stat.S_ISREG(found.st_mode):
        yield _name(path), (found.st_size, found.st_mtime_ns)


def _name(path: Path) -> str:
    # JSON cannot hold a name that is not UTF-8.
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


def _gone_or_changed(before: Facts, after: Facts) -> Iterator[str]:
    for path, facts in before.items():
        if path not in after:
            yield f"{path} is gone"
        elif after[path] != facts:
            yield f"{path} changed"


def _changed_in_archive(before: Listing, after: Listing) -> Iterator[str]:
    def may_grow(path: str, size: int, changed_at: int) -> bool:
        if _UNFINISHED.search(path):
            return True
        grew = path in after.growing and after.growing[path][0] > size
        return grew and before.taken - changed_at / 1e9 <= BEING_WRITTEN_SECONDS

    compared = {path: facts for path, facts in before.growing.items() if not may_grow(path, *facts)}
    return _gone_or_changed(compared, after.growing)


def _foreign(before: Facts, after: Facts) -> list[str]:
    """Return new files of the archive on another timeline than production's.

    A promoted copy that archives would write such files.
    """
    known = [number for path in before if (number := _timeline(path)) is not None]
    current = max(known, default=None)
    return [
        f"{path} is new, on another timeline than production's"
        for path in sorted(after.keys() - before.keys())
        if (number := _timeline(path)) is not None and number != current
    ]


def _timeline(path: str) -> int | None:
    match = _WAL.match(Path(path).name)
    return int(match[1], 16) if match else None
