"""Base backups and WAL archives changed so that a careless reader hangs, fills up or fails."""

from __future__ import annotations

import io
import os
import re
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TEBIBYTE = 1 << 40
_BLOCK = tarfile.BLOCKSIZE


def put(path: Path, content: bytes | str) -> None:
    """Write a file anew, in place of whatever is there."""
    path.unlink(missing_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def link(path: Path, target: str) -> None:
    """Make a link in place of whatever is there."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def fifo(path: Path) -> None:
    """Make a FIFO that nobody writes to, in place of whatever is there."""
    path.unlink(missing_ok=True)
    os.mkfifo(path, 0o644)


def altered(path: Path, pattern: str, replacement: str) -> None:
    """Change a file of text; the pattern must be there."""
    before = path.read_text()
    after = re.sub(pattern, lambda _: replacement, before, count=1, flags=re.MULTILINE)
    assert after != before, f"{pattern} is not in {path.name}"
    put(path, after)


def at(path: Path, offset: int, content: bytes) -> None:
    """Overwrite bytes at `offset`."""
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(content)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return the header of one member of a tar; large sizes are binary, as GNU tar writes them."""
    member = tarfile.TarInfo(name)
    member.size, member.type, member.mode = size, kind, 0o600
    return member.tobuf(tarfile.GNU_FORMAT)


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return one whole member of a tar."""
    padding = bytes(-len(content) % _BLOCK)
    return header(name, len(content), kind) + content + padding


def sparse_header(name: str, size: int) -> bytes:
    """Return the header of a member of `size` that is one hole, in GNU's old format.

    Source: GNU tar manual, "Old GNU Format": sparse entries at 386, the real size at 483.
    """
    block = bytearray(header(name, 0, tarfile.GNUTYPE_SPARSE))
    block[386:410] = b"%011o\0%011o\0" % (0, 0)
    block[482] = 0
    block[483:495] = b"\x80" + size.to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def begin_with(archive: Path, *members: bytes) -> None:
    """Put members before those of a tar."""
    put(archive, b"".join((*members, archive.read_bytes())))


def end_with(archive: Path, *members: bytes) -> None:
    """Put members after those of a tar."""
    put(archive, members_of(archive) + b"".join(members) + bytes(2 * _BLOCK))


def members_of(archive: Path) -> bytes:
    """Return a tar without the zeros at its end."""
    with tarfile.open(archive) as tar:
        last = tar.getmembers()[-1]
    end = last.offset_data + -(-last.size // _BLOCK) * _BLOCK
    return archive.read_bytes()[:end]


def begin_with_huge(archive: Path, start: bytes, size: int) -> None:
    """Begin a tar with a header and a hole of `size` bytes: huge, and nearly nothing on disk."""
    rest = archive.read_bytes()
    archive.unlink()
    with archive.open("wb") as stream:
        stream.write(start)
        stream.seek(size, io.SEEK_CUR)
        stream.write(rest)


def huge(path: Path, start: bytes, size: int) -> None:
    """Write a file of `size` that begins with `start`; the rest is a hole."""
    put(path, start)
    os.truncate(path, size)
