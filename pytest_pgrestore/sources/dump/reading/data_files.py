"""Whether the data files of a dump in directory format are whole.

pg_restore takes the end of a file for the end of its rows: a file that was cut at a line, or of
which some versions cannot tell that its compressed stream is cut, loads without an error.

Source: dumpTableData_copy of src/bin/pg_dump/pg_dump.c; pg_backup_directory.c.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, open_plain, reading
from pytest_pgrestore.sources.copying import in_parallel
from pytest_pgrestore.sources.dump.reading import archive_files
from pytest_pgrestore.sources.dump.reading.toc_names import DataEntry, data_entries
from pytest_pgrestore.system.regular_file import open_regular, read_limited

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_SUFFIXES = ("", ".gz", ".lz4", ".zst")
_END_OF_ROWS = re.compile(rb"(?:^|\n)\\\.\r?\n\s*\Z")
_TAIL_BYTES = 64
"""Last bytes of rows: pg_dump writes the end mark and two empty lines."""

_MAGIC_BYTES = 4
_BLOB = re.compile(r"(blob_[0-9]+\.dat)(\.gz|\.lz4|\.zst)?")
_HINT = "find out why the dump or its copy ended early: disk full, or an interrupted transfer."
_INSERTS = (
    "Whether every row of {} is there: nothing marks the end of a data file made with --inserts."
)
_PLAIN_OBJECTS = (
    "Whether every large object of {} is whole: nothing marks the end of its file without"
    " compression."
)
_LONG_LIST = "Whether every large object of {} is listed: its list is too long to be compared."


def require_whole(dump: DumpFile) -> list[str]:
    """Refuse a dump in directory format of which a data file is cut; read all of them.

    Returns what cannot be proved, one sentence each.

    Raises:
        BackupNotRestorable: A file is cut short, damaged or empty, or not listed.
        HarnessError: A file cannot be read.
    """
    if dump.form != "directory":
        return []
    members = {member.name: member for member in archive_files.members_of(dump.path)}
    try:
        with open_regular(dump.path / archive_files.CONTENTS, follow=False) as stream:
            entries = list(data_entries(stream))
    except (EOFError, ValueError):
        return []  # pg_restore tells what is damaged
    tables = [
        (members[entry.file + suffix], entry)
        for entry in entries
        for suffix in _SUFFIXES
        if entry.type == "TABLE DATA" and entry.file and entry.file + suffix in members
    ]
    blobs = {name: match for name in members if (match := _BLOB.fullmatch(name))}
    files = {match[1] for match in blobs.values()}
    has_short_lists = _require_listed(dump, members, files, entries)
    in_parallel(lambda table: _require_rows(*table), tables)
    in_parallel(_require_stream, [members[name] for name, match in blobs.items() if match[2]])
    open_ends = [] if has_short_lists else [_LONG_LIST.format(dump.location.name)]
    if not all(entry.is_copied for _, entry in tables):
        open_ends.append(_INSERTS.format(dump.location.name))
    if not all(match[2] for match in blobs.values()):
        open_ends.append(_PLAIN_OBJECTS.format(dump.location.name))
    return open_ends


def _require_rows(file: Path, entry: DataEntry) -> None:
    """Refuse a file of rows without its end."""
    if file.stat().st_size < (1 if file.suffix == ".dat" else _MAGIC_BYTES):
        raise BackupNotRestorable(f"{file} is empty or cut short", hint=_HINT)
    tail = _tail(file)
    if entry.is_copied and not _END_OF_ROWS.search(tail):
        raise BackupNotRestorable(
            f"{file} is cut short: the line `\\.`, which ends its rows, is missing", hint=_HINT
        )


def _require_stream(file: Path) -> None:
    """Refuse a compressed large object without its end. One of 0 bytes is empty with LZ4."""
    size = file.stat().st_size
    if size < _MAGIC_BYTES and not (size == 0 and file.suffix == ".lz4"):
        raise BackupNotRestorable(f"{file} is empty or cut short", hint=_HINT)
    _tail(file)


def _tail(file: Path) -> bytes:
    """Read all of a file; return its last bytes, decompressed."""
    tail = b""
    with reading(file), _opened(file) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            tail = (tail + chunk[-_TAIL_BYTES:])[-_TAIL_BYTES:]
    return tail


def _opened(file: Path) -> IO[bytes]:
    # Rows may begin with the first bytes of a compressor.
    return open_regular(file, follow=False) if file.suffix == ".dat" else open_plain(file)


def _require_listed(
    dump: DumpFile, members: dict[str, Path], files: set[str], entries: list[DataEntry]
) -> bool:
    """Refuse lists of large objects that lack one: pg_restore makes it empty then.

    Returns False if a list is too long to be held.
    """
    listed: set[str] = set()
    lists = {entry.file for entry in entries if entry.type == "BLOBS" and entry.file}
    if not lists:
        return True  # of definitions alone
    long = archive_files.LARGE_OBJECTS_BYTES
    if any(members[name].stat().st_size > long for name in lists & members.keys()):
        return False
    for name in lists & members.keys():
        with reading(members[name]):
            text = read_limited(members[name], archive_files.LARGE_OBJECTS_BYTES, follow=False)
        listed |= {
            line.strip().partition(b" ")[2].decode("ascii", "replace") for line in text.split(b"\n")
        }
    listed -= {""}
    announced = sum(entry.large_objects for entry in entries)
    missing = sorted(files - listed)
    if missing or len(listed) < announced:
        count = max(announced, len(files | listed))
        raise BackupNotRestorable(
            f"{dump.location} is cut short: its lists name {len(listed)} of {count} large objects",
            hint=_HINT,
        )
    return True
