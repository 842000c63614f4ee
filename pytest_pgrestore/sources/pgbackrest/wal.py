"""WAL of a pgBackRest repository: listed by name, brought many at a time, each compared with the checksum in its name.

Source: pgBackRest command reference, "Repository List Command", "Archive Get Command"; the role ``archive-get:async``
is what its own asynchronous mode starts: it fills the spool with several processes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.copying import in_parallel
from pytest_pgrestore.sources.pgbackrest.messages import explained, failed
from pytest_pgrestore.sources.wal.stored_wal import StoredWal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.pgbackrest.own_config import Repository

_SEGMENT = re.compile(r"(?:.*/)?([0-9A-F]{24})-([0-9a-f]{40})(?:\.[a-z0-9]+)?")
_HISTORY = re.compile(r"((?:.*/)?([0-9A-F]{8})\.history)")
_AT_ONCE = 1000
"""Names on one command line."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The WAL that a repository holds for one server.

    Attributes:
        wal: Names, times and histories.
        checksums: SHA-1 of each plain segment, as the repository names it; several where two servers archived it.
    """

    wal: StoredWal
    checksums: Mapping[str, tuple[str, ...]]


def listed(tool: BackupTool, repository: Repository, stanza: str, archive: str) -> Archive:
    """Return what the repository holds of `archive`, as in ``17-1``.

    Raises:
        BackupNotRestorable: A history cannot be read because it is damaged.
        HarnessError: The repository cannot be read.
    """
    place = f"archive/{stanza}/{archive}"
    number = f"--repo={repository.number}"
    done = tool.run(
        "repository", number, "repo-ls", place, "--recurse", "--output=json", quiet=True
    )
    if done.status != 0:
        raise failed(done, repository, "the archive could not be listed")
    segments: dict[str, datetime | None] = {}
    checksums: dict[str, tuple[str, ...]] = {}
    histories: dict[int, str] = {}
    for path, facts in json.loads(done.stdout or "{}").items():
        if match := _SEGMENT.fullmatch(path):
            segments[match[1]] = (
                datetime.fromtimestamp(facts["time"], UTC) if "time" in facts else None
            )
            checksums[match[1]] = (*checksums.get(match[1], ()), match[2])
        elif match := _HISTORY.fullmatch(path):
            got = tool.run("repository", number, "repo-get", f"{place}/{match[1]}")
            if got.status != 0:
                raise failed(got, repository, f"{match[2]}.history could not be read")
            histories[int(match[2], 16)] = got.stdout
    return Archive(StoredWal(segments=segments, histories=histories), checksums)


@dataclass(frozen=True, slots=True)
class Bringer:
    """Brings segments out of a repository into a directory.

    Args:
        tool: With pg1-path set to the restored data directory: pgBackRest asks it which server's WAL is meant.
        repository: Where from.
        stanza: Of which stanza.
        archive: What the repository holds.
    """

    tool: BackupTool
    repository: Repository
    stanza: str
    archive: Archive

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Put each of `names` into `into`; see `storedwal.Bring`."""
        spool = into / "spool"
        shelf = spool / "archive" / self.stanza / "in"
        shelf.mkdir(
            parents=True, exist_ok=True
        )  # its workers write there before it is made by the tool
        with_spool = {"PGBACKREST_ARCHIVE_ASYNC": "y", "PGBACKREST_SPOOL_PATH": str(spool)}
        for begin in range(0, len(names), _AT_ONCE):
            batch = names[begin : begin + _AT_ONCE]
            number = f"--repo={self.repository.number}"
            done = self.tool.run("wal", number, "archive-get:async", *batch, more=with_spool)
            if done.status != 0:
                raise failed(done, self.repository, "WAL could not be brought")
            in_parallel(lambda name: self._take(name, shelf, into), batch)

    def _take(self, name: str, shelf: Path, into: Path) -> None:
        complaint = shelf / f"{name}.error"
        if complaint.exists():
            text = complaint.read_text(encoding="utf-8", errors="backslashreplace")
            code, _, message = text.partition("\n")
            raise explained(
                f"ERROR: [{code.zfill(3)}]: {message}",
                self.repository,
                f"WAL segment {name} could not be brought",
            )
        if not (shelf / name).exists():
            return  # absent: said so by a file NAME.ok
        path = (shelf / name).rename(into / name)
        with path.open("rb") as stream:
            digest = file_digest(stream, "sha1").hexdigest()
        if digest not in self.archive.checksums.get(name, (digest,)):
            raise BackupNotRestorable(
                f"WAL segment {name} is damaged in {self.repository.address}: its SHA-1 is {digest}, and its name there"
                f" says {self.archive.checksums[name][0]}",
                hint="restore the segment from another copy of the repository, or take a new backup.",
            )
