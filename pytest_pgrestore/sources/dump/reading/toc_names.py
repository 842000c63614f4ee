"""The data files in the toc.dat of a dump in directory format.

pg_restore joins them to the directory's path, so ``../x`` would be a file outside of the dump.

Source: ReadToc of src/bin/pg_dump/pg_backup_archiver.c, _ReadExtraToc of pg_backup_directory.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from pytest_pgrestore.sources.dump.reading.archive_header import ValueReader, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator

_KNOWN = range(12, 17)
"""Minor numbers of archive version 1 whose layout is known: pg_dump 9.0 to 18."""

_TABLE_AM, _RELATION_KIND = 14, 16
"""First minor numbers with the access method, and with the kind of relation, in each entry."""

_LONGEST_NAME = 1024
"""Bytes of a file's name: MAXPGPATH."""

_LONGEST_OIDS = 1 << 20
"""Bytes of a list of large objects; pg_dump writes at most a thousand of them in one."""


@dataclass(frozen=True, slots=True)
class DataEntry:
    """What an entry of the table of contents says of data.

    Attributes:
        type: Its type, for example ``TABLE DATA``.
        is_copied: Whether its rows are those of COPY, and no INSERT statements.
        large_objects: Number of large objects that it announces.
        file: Name of its data file, without the suffix of a compressor; empty without one.
    """

    type: str
    is_copied: bool
    large_objects: int
    file: str


def data_file_names(stream: IO[bytes]) -> Iterator[str]:
    """Yield the names of the data files; nothing if the layout is not known.

    Raises:
        EOFError: The file is cut short, or no archive.
        ValueError: Its header makes no sense.
    """
    return (entry.file for entry in data_entries(stream) if entry.file)


def data_entries(stream: IO[bytes]) -> Iterator[DataEntry]:
    """Yield the entries; see `data_file_names`."""
    reader = ValueReader(stream)
    header = read_header(reader)
    if header.version[0] != 1 or header.version[1] not in _KNOWN:
        return
    for _ in range(reader.integer()):
        yield _entry(reader, header.version[1])


def _entry(reader: ValueReader, minor: int) -> DataEntry:
    reader.integer()  # number
    reader.integer()  # whether it has data
    for _ in range(3):  # OIDs of catalogue and object, tag
        reader.skip_string()
    kind = reader.string(_LONGEST_NAME)
    reader.integer()  # section
    # Since PostgreSQL 17 the definition of one entry lists the OIDs of many large objects.
    if kind == "BLOB METADATA":
        large_objects = len(reader.string(_LONGEST_OIDS).split())
    else:
        large_objects = int(kind == "BLOB")
        reader.skip_string()
    reader.skip_string()  # drop
    is_copied = reader.skip_bytes() > 0
    for _ in range(2):  # schema, tablespace
        reader.skip_string()
    if minor >= _TABLE_AM:
        reader.skip_string()
    if minor >= _RELATION_KIND:
        reader.integer()
    reader.skip_string()  # owner
    reader.skip_string()  # WITH OIDS
    while reader.skip_string():  # dependencies, up to a NULL
        pass
    return DataEntry(kind, is_copied, large_objects, reader.string(_LONGEST_NAME))
