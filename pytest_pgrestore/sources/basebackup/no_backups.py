"""What lies beside the backups and is none: the newest backup, perhaps, in a form not read here."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.target import Immediate, Latest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from pytest_pgrestore.model.target import RecoveryTarget

_TAR = re.compile(r"(?:base|pg_wal|\d{4,10})\.(?:tar|tgz)(?:\..+)?")
_MANIFEST = re.compile(r"backup_(?:manifest|label)\..+")
_UNFINISHED = re.compile(r".+\.(?:te?mp|part|partial)", re.IGNORECASE)
_ARCHIVE = re.compile(r".+\.(?:tar|tgz|zip|7z|gpg|age|enc)(?:\..+)?", re.IGNORECASE)
_NO_MATTER = {"lost+found"}
_MOST = 10_000
"""Names of a directory that are looked at."""

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Stranger:
    """A directory entry that is no backup.

    Attributes:
        name: Its name.
        written_at: When it was last changed, in seconds.
        looks: The name in it that a backup has, too; empty without one.
    """

    name: str
    written_at: float
    looks: str


def strangers_in(path: Path, backups: Collection[Path], archive: Path | None) -> list[Stranger]:
    """Return what is no backup: directories, dangling links, files that are archives.

    Args:
        path: A backup, or a directory of backups.
        backups: Those that were found.
        archive: The WAL archive, which may lie among the backups.
    """
    if path in backups:
        return []
    looks = _looks(path)
    if looks:
        return [Stranger(path.name, path.lstat().st_mtime, looks)]
    entries = [entry for entry in islice(path.iterdir(), _MOST) if entry not in backups]
    found = [
        _stranger(entry)
        for entry in sorted(entries)
        if not entry.name.startswith(".") and entry.name not in _NO_MATTER and entry != archive
    ]
    return [stranger for stranger in found if stranger is not None]


def require_none_newer(
    strangers: Sequence[Stranger], chosen: Path | None, target: RecoveryTarget
) -> None:
    """Refuse to take `chosen` for the newest backup if another entry may be.

    Raises:
        HarnessError: An entry looks like a backup, and is newer.
    """
    if not isinstance(target, Latest | Immediate):
        return
    since = chosen.lstat().st_mtime if chosen is not None else float("-inf")
    for stranger in strangers:
        if stranger.looks and stranger.written_at > since:
            older = "" if chosen is None else f" and is newer than the backup {chosen.name}"
            raise HarnessError(
                f"{stranger.name} holds {stranger.looks} as a backup does{older}, and it cannot be"
                " read: it is incomplete, encrypted, or of an unknown form",
                hint="decrypt or unpack it into another directory and name that in `path`, or move"
                " it away if it is no backup; `backup` in the source names another one.",
            )


def unknown_forms(strangers: Sequence[Stranger]) -> list[Stranger]:
    """Return those that may be whole: without any other backup, a part of one is a finding."""
    return [stranger for stranger in strangers if stranger.looks.startswith("base.")]


def notes(strangers: Sequence[Stranger], path: Path) -> list[str]:
    """Return the sentence about them for the report; none without any."""
    names = [stranger.name for stranger in strangers]
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if names[_NAMED:] else ""
    return [f"not read as a backup in {path}: {', '.join(names[:_NAMED])}{more}"]


def _stranger(entry: Path) -> Stranger | None:
    try:
        when = entry.lstat().st_mtime
        mode = entry.stat().st_mode
    except OSError:
        return Stranger(entry.name, 0.0, "")
    if stat.S_ISDIR(mode):
        return Stranger(entry.name, when, _looks(entry))
    return Stranger(entry.name, when, "") if _ARCHIVE.fullmatch(entry.name) else None


def _looks(folder: Path) -> str:
    """Return what a directory has that a finished backup has, too; empty without anything."""
    try:
        names = sorted(entry.name for entry in islice(folder.iterdir(), _MOST))
    except OSError:
        return ""
    if {"base", "global"} <= set(names):
        return "base/ and global/"
    return next(
        (
            name
            for name in names
            if (_TAR.fullmatch(name) or _MANIFEST.fullmatch(name))
            and not _UNFINISHED.fullmatch(name)
        ),
        "",
    )
