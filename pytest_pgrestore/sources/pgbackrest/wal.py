"""WAL of a pgBackRest repository: listed by name, and fetched many segments at a time.

Source: pgBackRest command reference, "Repository List Command", "Archive Get Command". With
archive-async, ``archive-get`` starts ``archive-get:async`` itself, which fills the spool path with
several processes. Each segment is compared with the SHA-1 in its name in the repository.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import file_digest
from typing import TYPE_CHECKING, cast

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.sources.copying import in_parallel
from pytest_pgrestore.sources.json_answer import parse, understood
from pytest_pgrestore.sources.pgbackrest.messages import explained, failed
from pytest_pgrestore.sources.wal.stored_wal import StoredWal
from pytest_pgrestore.sources.wal.timelines import require_few
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from io import BufferedReader
    from pathlib import Path

    from pytest_pgrestore.sources.pgbackrest.commands import Pgbackrest

_SEGMENT = re.compile(r"(?:[0-9A-F]{16}/)?([0-9A-F]{24})-([0-9a-f]{40})(?:\.[a-z0-9]+)?")
_HISTORY = re.compile(r"(([0-9A-F]{8})\.history)")
_MESSAGE_BYTES = 1 << 20
"""Bytes that are read of a message in the spool: 1 MiB, far more than pgBackRest writes."""

_AT_ONCE = 1000
"""Most names on one command line."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The WAL that a repository has of one server.

    Attributes:
        wal: Names, times and histories.
        checksums: Name of a segment to the SHA-1 in its file name; several if two servers archived
            a segment of that name.
        kept: Segments of `wal` that only the backup itself keeps.
    """

    wal: StoredWal
    checksums: Mapping[str, Sequence[str]]
    kept: frozenset[str] = frozenset()


def listed(pgbackrest: Pgbackrest, archive: str) -> Archive:
    """Return the WAL of `archive`, as in ``17-1``.

    Raises:
        BackupNotRestorable: A history file is damaged.
        HarnessError: The repository cannot be read.
    """
    place = f"archive/{pgbackrest.stanza}/{archive}"
    options = ("--recurse", "--output=json")
    done = pgbackrest.run("repository", "repo-ls", place, *options, quiet=True)
    if done.status != 0:
        raise failed(done, pgbackrest.repository, "the archive could not be listed")
    segments, checksums, paths = listed_in(done.stdout, place)
    histories = {
        timeline: _history(pgbackrest, f"{place}/{path}", f"{timeline:08X}")
        for timeline, path in paths.items()
    }
    return Archive(StoredWal(segments=segments, histories=histories), checksums)


def listed_in(
    text: str, place: str
) -> tuple[dict[str, datetime | None], dict[str, list[str]], dict[int, str]]:
    """Return segments, their checksums, and the names of ``.history`` files in a list.

    Args:
        text: Output of ``repo-ls``.
        place: What was listed, for messages.

    Raises:
        HarnessError: The output has another format, or there are too many timelines.
    """
    segments: dict[str, datetime | None] = {}
    checksums: dict[str, list[str]] = {}
    paths: dict[int, str] = {}
    with understood(
        f"pgBackRest's list of {place} is not understood", hint="read the saved log of `repo-ls`."
    ):
        for path, facts in parse(text or "{}").items():
            if match := _SEGMENT.fullmatch(path):
                # Not every store has a modification time.
                time = facts.get("time")
                segments[match[1]] = None if time is None else time.epoch()
                checksums.setdefault(match[1], []).append(match[2])
            elif match := _HISTORY.fullmatch(path):
                paths[int(match[2], 16)] = match[1]
    require_few(paths)
    return segments, checksums, paths


def _history(pgbackrest: Pgbackrest, path: str, timeline: str) -> str:
    done = pgbackrest.run("repository", "repo-get", path)
    if done.status != 0:
        raise failed(done, pgbackrest.repository, f"{timeline}.history could not be read")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Bringer:
    """Fetches segments from a repository into a directory.

    Args:
        pgbackrest: With pg1-path set to the restored data directory: its control file names the
            server whose WAL is meant.
        archive: The WAL of the repository.
    """

    pgbackrest: Pgbackrest
    archive: Archive

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Write each of `names` to `into`; see `stored_wal.Bring`."""
        spool = into / "spool"
        shelf = spool / "archive" / self.pgbackrest.stanza / "in"
        # Its worker processes may write there before pgBackRest itself has made the directory.
        shelf.mkdir(parents=True, exist_ok=True)
        with_spool = {"PGBACKREST_ARCHIVE_ASYNC": "y", "PGBACKREST_SPOOL_PATH": str(spool)}
        names = [name for name in names if name not in self.archive.kept]
        for begin in range(0, len(names), _AT_ONCE):
            batch = names[begin : begin + _AT_ONCE]
            done = self.pgbackrest.run("wal", "archive-get:async", *batch, more=with_spool)
            if done.status != 0:
                raise failed(done, self.pgbackrest.repository, "WAL could not be brought")
            in_parallel(lambda name: self._take(name, shelf, into), batch)

    def _take(self, name: str, shelf: Path, into: Path) -> None:
        """Move one segment from the spool, and compare its checksum.

        ``archive-get:async`` reports each segment by a file in the spool: NAME with the content,
        NAME.error with code and message, or NAME.ok if the repository does not have it.

        Raises:
            BackupNotRestorable: The segment is damaged.
            HarnessError: It could not be read.
        """
        error = shelf / f"{name}.error"
        if error.exists():
            with reading(error), open_regular(error, follow=False) as stream:
                text = stream.read(_MESSAGE_BYTES).decode(errors="backslashreplace")
            code, _, message = text.partition("\n")
            raise explained(
                f"ERROR: [{code.zfill(3)}]: {message}",
                self.pgbackrest.repository,
                f"WAL segment {name} could not be brought",
            )
        if not (shelf / name).exists():
            return
        path = (shelf / name).rename(into / name)
        with reading(path), open_regular(path, follow=False) as stream:
            digest = file_digest(cast("BufferedReader", stream), "sha1").hexdigest()
        # archive-get of 2.55 returns some damaged segments with status 0.
        if digest not in self.archive.checksums.get(name, (digest,)):
            raise BackupNotRestorable(
                f"WAL segment {name} is damaged in {self.pgbackrest.repository.address}: its SHA-1"
                f" is {digest}, and its name there says {self.archive.checksums[name][0]}",
                hint="restore the segment from another copy of the repository, or take a new"
                " backup.",
            )
