"""WAL of a Barman home: on shelves of a directory each, compressed without an ending that tells.

Source: Barman manual, "WAL archiving", "get-wal".
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.wal import is_segment_name
from pytest_pgrestore.sources.barman.messages import failed
from pytest_pgrestore.sources.copying import copy_plain, in_parallel
from pytest_pgrestore.sources.wal import segments
from pytest_pgrestore.sources.wal.stored_wal import StoredWal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.barman.own_config import Server

_NOT_THERE = re.compile(r"WAL file '\w+' not found in server")


@dataclass(frozen=True, slots=True)
class Shelves:
    """The WAL of a Barman home.

    Attributes:
        wal: Names, times and histories.
        paths: Each segment's file.
        notes: What lies there and is not used.
    """

    wal: StoredWal
    paths: Mapping[str, Path]
    notes: tuple[str, ...]


def listed(server: Server) -> Shelves:
    """Return what Barman has archived of `server`, and say what it has received and not archived.

    Raises:
        HarnessError: It cannot be read.
    """
    found = segments.scan(server.wals)
    times: dict[str, datetime | None] = {}
    for name, file in found.segments.items():
        times[name] = None
        with suppress(OSError):
            times[name] = datetime.fromtimestamp(file.path.stat().st_mtime, UTC)
    notes = []
    waiting = _segments_in(server.incoming)
    if waiting:
        notes.append(
            f"{waiting} WAL segments wait in {server.incoming} for `barman cron` to archive them; they are not used"
        )
    received = _segments_in(server.streaming)
    partial = sum(path.name.endswith(".partial") for path in _files_in(server.streaming))
    if received or partial:
        notes.append(
            f"not used of {server.streaming}: {received} WAL segments not archived yet,"
            f" {partial} still being received (.partial)"
        )
    if found.partial:
        notes.append(f"not used, because not complete: {', '.join(found.partial)}")
    wal = StoredWal(segments=times, histories=found.history_texts())
    return Shelves(wal, {name: file.path for name, file in found.segments.items()}, tuple(notes))


@dataclass(frozen=True, slots=True)
class ShelfBringer:
    """Unpacks segments from the shelves: no program is started, and several are unpacked at a time."""

    shelves: Shelves

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Put each of `names` into `into`; see `storedwal.Bring`."""

        def one(name: str) -> None:
            with suppress(FileNotFoundError):
                copy_plain(self.shelves.paths[name], into / name)

        in_parallel(one, names)


@dataclass(frozen=True, slots=True)
class GetWalBringer:
    """Brings segments by ``barman get-wal``, as a server with a restore_command of Barman would."""

    tool: BackupTool
    server: Server

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Put each of `names` into `into`; see `storedwal.Bring`."""

        def one(name: str) -> None:
            done = self.tool.run(
                "wal", "get-wal", "--output-directory", str(into), self.server.name, name
            )
            if done.status == 0:
                return
            (into / name).unlink(missing_ok=True)
            # It ends with the same status for a segment that is not there and for everything else.
            if not _NOT_THERE.search(done.stdout + done.stderr):
                raise failed(
                    done, str(self.server.directory), f"WAL segment {name} could not be brought"
                )

        in_parallel(one, names)


def _files_in(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _segments_in(directory: Path) -> int:
    return sum(is_segment_name(path.name) for path in _files_in(directory))
