"""The files of an archive before pg_restore opens them: regular files, with names inside the dump.

A link in a dump in directory format would let pg_restore read another file; a FIFO or a device
would never end.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.dump.reading.toc_names import data_file_names
from pytest_pgrestore.system.regular_file import NotRegularError, open_regular, read_limited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

CONTENTS = "toc.dat"
_LARGE_OBJECTS = re.compile(r"blobs(?:_[0-9]+)?\.toc")
LARGE_OBJECTS_BYTES = 64 << 20
"""Longest list of large objects that is read: two million of them."""

_HINT = "find out who wrote that; pg_dump does not. Restore it only by hand, as another user."


def require_regular(dump: DumpFile) -> None:
    """Refuse an archive whose files are not what pg_dump writes.

    Raises:
        BackupNotRestorable: A file is a link, FIFO or device, or a name leads out of the dump.
        HarnessError: A file cannot be read.
    """
    if dump.form != "directory":
        return
    members = list(members_of(dump.path))
    for name in _names(dump.path, members):
        if not name or "/" in name or name in {".", ".."}:
            raise BackupNotRestorable(
                f"{dump.path} names a data file outside of the dump: {name!a}", hint=_HINT
            )


def members_of(directory: Path) -> Iterator[Path]:
    """Yield the files of a dump in directory format.

    Raises:
        BackupNotRestorable: One of them is no regular file.
    """
    with os.scandir(directory) as entries:
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                continue  # pg_restore opens none
            if not stat.S_ISREG(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "no regular file"
                raise BackupNotRestorable(f"{entry.path} is {kind}", hint=_HINT)
            yield Path(entry.path)


def _names(directory: Path, members: list[Path]) -> Iterator[str]:
    """Yield the names of data files in the lists of the dump."""
    try:
        with open_regular(directory / CONTENTS, follow=False) as stream:
            yield from data_file_names(stream)
        for member in members:
            if _LARGE_OBJECTS.fullmatch(member.name):
                text = read_limited(member, LARGE_OBJECTS_BYTES, follow=False)
                # A line is a number and a name, which goes on to the line end.
                for line in text.split(b"\n"):
                    if line.strip():
                        yield line.strip().partition(b" ")[2].decode("utf-8", "backslashreplace")
    except (EOFError, ValueError):
        return  # pg_restore tells what is damaged
    except NotRegularError as exc:
        raise BackupNotRestorable(f"{exc.filename} {exc.strerror}", hint=_HINT) from exc
    except OSError as exc:
        raise HarnessError(
            f"{exc.filename or directory} cannot be read: {exc.strerror}",
            hint="run the drill as a user who may read the backup, from storage that works.",
        ) from exc
