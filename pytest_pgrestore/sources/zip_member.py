"""The only file of a zip archive, as a stream. Source: APPNOTE.TXT of PKWARE."""

from __future__ import annotations

import zipfile
from typing import IO

from pytest_pgrestore.model.errors import HarnessError

_ENCRYPTED = 1
"""Bit of a member's flags."""


def open_only_member(raw: IO[bytes]) -> IO[bytes]:
    """Open the only file of a zip archive.

    Raises:
        HarnessError: It has more than one file, or it is encrypted.
    """
    archive = zipfile.ZipFile(raw)
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not member.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1 or members[0].flag_bits & _ENCRYPTED:
        what = "is encrypted" if len(members) == 1 else f"holds {len(members)} files"
        raise HarnessError(f"{raw.name} {what}", hint="unpack it, and name what is in it.")
    return archive.open(members[0])
