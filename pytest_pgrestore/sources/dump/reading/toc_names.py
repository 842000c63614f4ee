"""The names of data files in the toc.dat of a dump in directory format.

pg_restore joins them to the directory's path, so ``../x`` would be a file outside of the dump.

Source: ReadToc of src/bin/pg_dump/pg_backup_archiver.c, _ReadExtraToc of pg_backup_directory.c.
"""

from __future__ import annotations

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


def data_file_names(stream: IO[bytes]) -> Iterator[str]:
    """Yield the names of the data files; nothing if the layout is not known.

    Raises:
        EOFError: The file is cut short, or no archive.
        ValueError: Its header makes no sense.
    """
    reader = ValueReader(stream)
    header = read_header(reader)
    if header.version[0] != 1 or header.version[1] not in _KNOWN:
        return
    minor = header.version[1]
    for _ in range(reader.integer()):
        _skip_entry(reader, minor)
        name = reader.string(_LONGEST_NAME)
        if name:
            yield name


def _skip_entry(reader: ValueReader, minor: int) -> None:
    """Read one entry up to what the directory format adds."""
    reader.integer()  # number
    reader.integer()  # whether it has data
    for _ in range(4):  # OIDs of catalogue and object, tag, type
        reader.skip_string()
    reader.integer()  # section
    for _ in range(5):  # definition, drop, copy, schema, tablespace
        reader.skip_string()
    if minor >= _TABLE_AM:
        reader.skip_string()
    if minor >= _RELATION_KIND:
        reader.integer()
    reader.skip_string()  # owner
    reader.skip_string()  # WITH OIDS
    while reader.skip_string():  # dependencies, up to a NULL
        pass
