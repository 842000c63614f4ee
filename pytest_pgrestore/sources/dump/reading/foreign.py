"""What a file is that is no dump as its tool wrote it: encrypted, of another encoding, mixed.

Sources: RFC 9580, sections 4.2 and 6.2 (OpenPGP); age-encryption.org/v1; apps/enc.c of OpenSSL;
RFC 5652 and 7468 (CMS); the Unicode standard (byte order marks).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.dump.reading import archive_header
from pytest_pgrestore.system.regular_file import NotRegularError, open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.model.errors import PgRestoreError

_START_BYTES = 1 << 16

_TEXTS = {
    b"Salted__": "OpenSSL",
    b"U2FsdGVkX1": "OpenSSL",
    b"age-encryption.org/v1\n": "age",
    b"-----BEGIN AGE ENCRYPTED FILE-----": "age",
    b"-----BEGIN PGP MESSAGE-----": "OpenPGP",
    b"-----BEGIN CMS-----": "CMS",
    b"-----BEGIN PKCS7-----": "CMS",
    b"$ANSIBLE_VAULT;": "Ansible Vault",
}
"""First bytes of encrypted files, and what made them."""

# A packet of tag 1 or 3, its length in 1, 2 or 5 bytes, and its version: of a session key.
_OPENPGP = re.compile(
    rb"(?:[\x84\xc1].|\x85..|\x86....|\xc1[\xc0-\xdf].|\xc1\xff....)[\x02\x03\x06]"
    rb"|(?:[\x8c\xc3].|\x8d..|\x8e....|\xc3[\xc0-\xdf].|\xc3\xff....)[\x04\x05\x06]",
    re.DOTALL,
)
_MARKS = (b"\xff\xfe", b"\xfe\xff")
_PACKED = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x5d\x00\x00": "an LZMA file",
}
_TO_FILE = "write the dump with pg_dump --file=..., and the job's own output elsewhere."


def encryption_of(path: Path) -> str | None:
    """Return what encrypted a file, by its first bytes; None if they show nothing of it."""
    if not path.is_file():
        return None
    return _encryption(_start_of(path))


def cause_of(path: Path) -> PgRestoreError | None:
    """Return the error for a file that is no dump as it stands; None if the cause is not known."""
    if (error := _of_place(path)) is not None or path.is_dir():
        return error
    start = _start_of(path)
    tool = _encryption(start)
    if tool is not None:
        return HarnessError(
            f"{path} is encrypted ({tool}), and nothing says how to decrypt it",
            hint='add decrypt = ["program", "argument", ...], a command that reads it from standard'
            " input and writes the dump; name the variables with its key in secrets.",
        )
    if start.startswith(_MARKS):
        return BackupNotRestorable(
            f"{path} is UTF-16 text, which neither psql nor pg_restore reads",
            hint="a shell's > wrote it, as in PowerShell; make the dump with pg_dump --file=....",
        )
    if archive_header.MAGIC in start:
        return BackupNotRestorable(
            f"{path} has other text before the beginning of an archive of pg_dump", hint=_TO_FILE
        )
    for magic, what in _PACKED.items():
        if start.startswith(magic):
            return HarnessError(f"{path} is {what}", hint="unpack it, and name the dump in `path`.")
    return None


def junk_before(path: Path, line: int) -> BackupNotRestorable:
    """Return the error for text that is no SQL before the title of plain SQL."""
    return BackupNotRestorable(
        f"{path} has other text before the beginning of the dump, in line {line}", hint=_TO_FILE
    )


def _is_base_backup(place: Path) -> bool:
    """Return whether a directory is one that pg_basebackup wrote, plain or as tar archives."""
    plain = (place / "PG_VERSION").is_file() and (place / "global").is_dir()
    return plain or (place / "backup_manifest").is_file()


def _of_place(path: Path) -> HarnessError | None:
    """Return the error for a base backup, or a pg_dumpall in PostgreSQL 19's archive format."""
    if any(_is_base_backup(place) for place in (path, path.parent)):
        return HarnessError(
            f"{path} belongs to a base backup, and is no dump of pg_dump or pg_dumpall",
            hint='write type = "basebackup" in the source, or correct `path`.',
        )
    if not (path / "databases").is_dir() or not (path / "map.dat").exists():
        return None
    return HarnessError(
        f"{path} is a dump of a cluster in the archive format of PostgreSQL 19's pg_dumpall, which"
        " is not supported",
        hint="take plain SQL with pg_dumpall, or a dump of each database with pg_dump.",
    )


def _encryption(start: bytes) -> str | None:
    for magic, tool in _TEXTS.items():
        if start.startswith(magic):
            return tool
    return "OpenPGP" if _OPENPGP.match(start) else None


def _start_of(path: Path) -> bytes:
    try:
        with open_regular(path) as stream:
            return stream.read(_START_BYTES)
    except NotRegularError:
        return b""  # a FIFO or a device: nothing is read of it
