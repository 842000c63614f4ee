"""Whether the end of a dump exists, for the forms whose tools do not report that it is missing."""

from __future__ import annotations

import os
import re
import tarfile
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_NAME_BYTES, _SIZE_AT = 100, slice(124, 136)
"""Name and size in a header of a tar (POSIX, ustar)."""

TAIL_BYTES = 4096
"""Last bytes of plain SQL, which contain the closing line."""

_HINT = (
    "find out why the dump or its copy ended early: disk full, a killed job, an interrupted"
    " transfer."
)
# After the closing line come: the end of the comment, the time (--verbose), and \unrestrict (minor
# releases since August 2025, CVE-2025-8714).
_CLOSING = re.compile(
    rb"^-- PostgreSQL database (cluster )?dump complete\s*\n"
    rb"(?:--(?: Completed on [^\n]*)?\n|\\unrestrict[^\n]*\n|\s)*\Z",
    re.MULTILINE,
)


def require_complete(dump: DumpFile) -> None:
    """Refuse a tar archive or an uncompressed plain dump without its end, before it is loaded.

    Other forms raise an error while they are loaded. pg_restore never ends on a tar archive that
    is cut short.

    Raises:
        BackupNotRestorable: The end is missing.
    """
    if dump.form == "tar":
        if not _has_tar_end(dump.path):
            raise BackupNotRestorable(
                f"{dump.path} is cut short: the tar archive has no end", hint=_HINT
            )
    elif not dump.is_archive and dump.codec == "none":
        with reading(dump.path), open_regular(dump.path) as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL_BYTES))
            require_closing_line(dump, stream.read())


def has_closing_line(dump: DumpFile, tail: bytes) -> bool:
    """Return whether `tail`, the last bytes of plain SQL, ends like the output of its tool."""
    match = _CLOSING.search(tail.replace(b"\r\n", b"\n"))
    return match is not None and bool(match[1]) == (dump.form == "cluster")


def require_closing_line(dump: DumpFile, tail: bytes) -> None:
    """Refuse a plain dump without its closing line.

    psql loads a truncated dump and ends with status 0.

    Raises:
        BackupNotRestorable: The closing line is missing.
    """
    if not has_closing_line(dump, tail):
        word = "database cluster" if dump.form == "cluster" else "database"
        raise BackupNotRestorable(
            f"{dump.path} is cut short: the closing line `-- PostgreSQL {word} dump complete`"
            " is missing",
            hint=_HINT,
        )


def _has_tar_end(path: Path) -> bool:
    """Return whether a tar archive ends like pg_dump's: with restore.sql and two empty blocks.

    Source: src/bin/pg_dump/pg_backup_tar.c, _CloseArchive.
    """
    block = tarfile.BLOCKSIZE
    name, end = b"", 0
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        while len(header := stream.read(block)) == block and header.strip(b"\0"):
            name = header[:_NAME_BYTES].rstrip(b"\0")
            length = _tar_number(header[_SIZE_AT])
            if length is None or end + block + length > size:
                return False
            end += block + -(-length // block) * block
            stream.seek(end)
    return name == b"restore.sql" and size >= end + 2 * block


def _tar_number(field: bytes) -> int | None:
    """Return a number in octal digits, or in binary behind a first bit; None for other bytes.

    Source: src/port/tar.c, tarGetNumber. pg_dump writes no extensions, as pax headers are.
    """
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else None
