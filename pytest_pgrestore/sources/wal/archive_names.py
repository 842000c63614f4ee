"""The names in a WAL archive, one after the other: there may be a million of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_NAMES = 500_000
"""Files of an archive: 8 TB of WAL in segments of 16 MiB. Each takes 300 bytes of memory."""

_SHELF = re.compile(r"[0-9A-F]{16}")
"""A directory of segments, named by the first 16 digits of theirs.

Barman (``wals/``) and pgBackRest sort archived WAL like that.
"""


_OTHER_FORM = re.compile(r"([0-9A-F]{24})((?:\.[A-Za-z0-9_-]{1,20}){1,3})")
_ON_ITS_WAY = re.compile(
    r"\.(?:partial|backup|history|ready|done|te?mp|part|md5|sha\d+|sig)(?:\.|$)", re.IGNORECASE
)
"""Suffixes of what is no segment, or not yet: no archive_command gives them to a finished one."""


def other_form(name: str) -> str:
    """Return the suffix of a segment in a form that is not read here, such as ``.gpg``, or ''.

    Args:
        name: Of the file, without the suffix of a known compressor.
    """
    match = _OTHER_FORM.fullmatch(name)
    return "" if match is None or _ON_ITS_WAY.search(match[2]) else match[2]


def names_in(directory: Path) -> Iterator[tuple[Path, str]]:
    """Yield each name of an archive, with its directory.

    Raises:
        HarnessError: There are too many.
        OSError: A directory cannot be read.
    """
    for count, pair in enumerate(_every(directory)):
        if count >= MOST_NAMES:
            raise HarnessError(
                f"the WAL archive {directory} has more than {MOST_NAMES:,} files",
                hint="remove WAL that is older than the oldest backup (pg_archivecleanup).",
            )
        yield pair


def _every(directory: Path) -> Iterator[tuple[Path, str]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if not _SHELF.fullmatch(entry.name) or not entry.is_dir():
                yield directory, entry.name
                continue
            shelf = directory / entry.name
            with os.scandir(shelf) as inner:
                yield from ((shelf, file.name) for file in inner)
