"""Fabricated files of backups: tars, WAL segments, and the compressors they may come from."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

from pytest_pgrestore.model.wal import Segment
from pytest_pgrestore.sources.wal.header import Expected

MIB = 1 << 20
SYSTEM = 7711133938856625400
EXPECTED = Expected(MIB, SYSTEM, 18)


def zstd(data: bytes) -> bytes:
    """Return `data` as two zstd frames."""
    import zstandard

    return zstandard.compress(data[:1000]) + zstandard.compress(data[1000:])


def lz4(data: bytes) -> bytes:
    """Return `data` as an lz4 frame."""
    import lz4.frame

    compressed: bytes = lz4.frame.compress(data)
    return compressed


def gzip_zeros(size: int) -> bytes:
    """Return `size` zeros, in units of 64 MiB, as gzip streams one after the other; quickly."""
    return gzip.compress(bytes(64 * MIB), 1) * (size // (64 * MIB))


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": zstd,
    "lz4": lz4,
}


def tar_of(path: Path, *members: tuple[str, bytes]) -> Path:
    """Write a tar."""
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def header(
    segment: Segment, *, magic: int = 0xD118, system: int = SYSTEM, size: int = MIB
) -> bytes:
    """Return the first bytes of a healthy segment, as PostgreSQL writes them."""
    return struct.pack(
        "<HHIQI4xQII", magic, 2, segment.timeline, segment.start(MIB), 0, system, size, 8192
    )


def write_segments(directory: Path, *segments: Segment) -> None:
    """Write healthy segments."""
    for segment in segments:
        (directory / segment.file_name(MIB)).write_bytes(header(segment).ljust(MIB, b"\0"))
