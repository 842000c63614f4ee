"""Laying out a copy's ``pg_wal`` directory: emptied first, then filled with checked files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sources.copying import copy_plain, in_parallel
from pytest_pgrestore.sources.restored_files import remove_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pytest_pgrestore.sources.wal.timelines import TimelinePath


def empty_wal(data: Path) -> None:
    """Make ``pg_wal`` of a copy an empty directory with an empty ``archive_status``.

    WAL is checked and staged into it later. ``initdb --waldir`` makes ``pg_wal`` a symbolic link.
    Some backup tools restore that link, which leads to production's directory; others leave it out.
    """
    wal = data / "pg_wal"
    remove_file(data, wal.name)
    for folder in (wal, wal / "archive_status"):
        folder.mkdir(mode=0o700)


def copy_segments(
    pairs: Iterable[tuple[Path, Path]], segment_bytes: int, finished: Callable[[Path], None]
) -> None:
    """Copy WAL files to where recovery finds them, decompressed.

    Args:
        pairs: Each file, compressed or not, and its new path.
        segment_bytes: Size of a segment; nothing longer is written.
        finished: Called with each new path when the copy is complete; may raise.

    Raises:
        BackupNotRestorable: A file is cut short, damaged, no regular file, or no segment.
    """

    def one(pair: tuple[Path, Path]) -> None:
        copy_plain(*pair, segment_bytes)
        finished(pair[1])

    in_parallel(one, pairs)


def stage_histories(path: TimelinePath, into: Path, put: Callable[[int, Path], bool]) -> None:
    """Put the history file of every timeline that recovery follows into the directory `into`.

    Args:
        path: Timelines that recovery follows.
        into: The copy's ``pg_wal``.
        put: Writes the history of a timeline to a path; returns False if there is no history.
    """
    for timeline, _ in path.steps:
        target = into / f"{timeline:08X}.history"
        if not put(timeline, target) and timeline > 1 and timeline == path.last:
            # A server refuses a target timeline without a history file. An empty file is enough for
            # the backup's own timeline: no ancestor of it is needed.
            # Source: xlogrecovery.c, validateRecoveryParameters; timeline.c, existsTimeLineHistory.
            target.write_text("")
