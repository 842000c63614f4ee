"""Whether the end of a dump exists, for the forms whose tools do not report that it is missing."""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

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
        with dump.path.open("rb") as stream:
            stream.seek(max(0, dump.path.stat().st_size - TAIL_BYTES))
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
    try:
        with tarfile.open(path, "r:") as archive:
            last = archive.getmembers()[-1]
    except (tarfile.TarError, EOFError, IndexError):
        return False
    end = last.offset_data + -(-last.size // block) * block
    return last.name == "restore.sql" and path.stat().st_size >= end + 2 * block
