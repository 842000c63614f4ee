"""WAL of a Barman home: a directory for the first 16 digits of a segment's name.

A compressed segment has the name of a plain one.

Source: Barman manual, "WAL archiving", "get-wal".
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.target import AtName, AtXid
from pytest_pgrestore.model.wal import is_segment_name
from pytest_pgrestore.sources.barman.other_cluster import Trace, telling
from pytest_pgrestore.sources.wal import segments
from pytest_pgrestore.sources.wal.segments import WalFile
from pytest_pgrestore.sources.wal.stored_wal import StoredWal
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sources.barman.own_config import Server

_BEGINS = re.compile(r"[0-9A-F]{24}(?![0-9A-F])")
"""Beginning of the name of a segment; a suffix may follow, such as .partial or .duplicate."""

_SNAPPY = b"\xff\x06\x00\x00sNaPpY"
"""First bytes of a file that snappy compressed. Source: snappy, framing_format.txt."""

_ENCRYPTED = {b"\x84", b"\x85", b"\x86", b"\xc1"}
"""First bytes of a file that OpenPGP encrypted to a public key. Source: RFC 9580, "Packet Headers".
"""


@dataclass(frozen=True, slots=True)
class Shelves:
    """The WAL of a Barman home.

    Attributes:
        wal: Names, times and histories.
        files: Name of each segment to its file.
        notes: Which WAL of the home is not used.
    """

    wal: StoredWal
    files: Mapping[str, WalFile]
    notes: tuple[str, ...]

    def searched(self, target: RecoveryTarget) -> Mapping[str, WalFile]:
        """Return the segments in which a name or a transaction is looked for; none if we cannot."""
        if not isinstance(target, AtName | AtXid) or self.only_barman_reads(self.files):
            return {}
        return self.files

    def only_barman_reads(self, names: Iterable[str]) -> list[str]:
        """Return those of the segments that are encrypted, or packed as only Barman unpacks."""
        return [name for name in names if _is_barmans(self.files[name].path)]


def listed(server: Server) -> Shelves:
    """Return the archived WAL of `server`, with notes on WAL that is not archived yet.

    Raises:
        HarnessError: It cannot be read.
    """
    found = segments.scan(server.wals)
    wal = StoredWal(
        segments={name: _stored_at(file.path) for name, file in found.segments.items()},
        histories=found.history_texts(),
    )
    notes = [*_notes_on_incoming(server), *_notes_on_streaming(server)]
    if found.partial:
        notes.append(f"not used, because not complete: {', '.join(found.partial)}")
    return Shelves(wal, found.segments, tuple(notes))


def _is_barmans(path: Path) -> bool:
    """Return whether the first bytes are those of snappy or of OpenPGP; False if it is gone.

    A segment has a compressor's name nowhere, and an encrypted one neither.
    """
    with suppress(OSError), open_regular(path) as stream:
        start = stream.read(len(_SNAPPY))
        return start == _SNAPPY or start[:1] in _ENCRYPTED
    return False


def traces(server: Server, shelves: Shelves) -> list[Trace]:
    """Return which clusters wrote WAL of the home, also WAL that Barman has not archived.

    A segment whose name is archived already, with another content, is moved to ``errors``.
    """
    files = [(name, shelves.files[name].path) for name in telling(shelves.wal)]
    for directory in (server.incoming, server.streaming, server.errors):
        waiting = [directory / name for name in _names_in(directory) if _BEGINS.match(name)]
        times = {path: when for path in waiting if (when := _stored_at(path)) is not None}
        newest = max(times, key=lambda path: times[path], default=None)
        if newest is not None:
            files.append((newest.name[:24], newest))
    return [trace for name, path in files if (trace := _trace(name, path)) is not None]


def _trace(name: str, path: Path) -> Trace | None:
    """Return the trace of a segment; None if it cannot be read or is none."""
    with suppress(BackupNotRestorable, HarnessError, OSError):
        return Trace.read(name, WalFile(name, path).head()[1], _stored_at(path), str(path.parent))
    return None


def _stored_at(path: Path) -> datetime | None:
    """Return the modification time of a file; None if it is gone."""
    with suppress(OSError):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return None


def _notes_on_incoming(server: Server) -> list[str]:
    waiting = _segments_in(server.incoming)
    if not waiting:
        return []
    return [
        (
            f"{waiting} WAL segments wait in {server.incoming} for `barman cron` to archive them;"
            " they are not used"
        )
    ]


def _notes_on_streaming(server: Server) -> list[str]:
    received = _segments_in(server.streaming)
    # pg_receivewal gives this suffix to the segment that it is writing.
    partial = sum(name.endswith(".partial") for name in _names_in(server.streaming))
    if not received and not partial:
        return []
    return [
        (
            f"not used of {server.streaming}: {received} WAL segments not archived yet,"
            f" {partial} still being received (.partial)"
        )
    ]


def _names_in(directory: Path) -> Iterator[str]:
    """Yield the names in a directory; none if it cannot be read."""
    with suppress(OSError), os.scandir(directory) as entries:
        yield from (entry.name for entry in entries)


def _segments_in(directory: Path) -> int:
    return sum(is_segment_name(name) for name in _names_in(directory))
