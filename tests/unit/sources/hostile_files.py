"""What may lie where a file is expected, and files that grow when they are read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import socket
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30


def _a_fifo(path: Path) -> None:
    os.mkfifo(path)


def _a_socket(path: Path) -> None:
    # The path of a socket has at most 107 bytes (unix(7)), so it is made elsewhere.
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{_directory(path)}/{path.name}")


def _directory(path: Path) -> int:
    return os.open(path.parent, os.O_DIRECTORY)


def _a_directory(path: Path) -> None:
    path.mkdir()


def _a_link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _a_link_to_a_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


NO_FILES: dict[str, Callable[[Path], None]] = {
    "a FIFO": _a_fifo,
    "a socket": _a_socket,
    "a directory": _a_directory,
    "a link to a device": _a_link_to_a_device,
    "a link to a FIFO": _a_link_to_a_fifo,
}
"""What somebody may put where we open a file, and how to make it."""


def bomb(codec: str, start: bytes = b"") -> bytes:
    """Return a small file that unpacks to `start` and 4 GiB of zeros."""
    zeros = bytes(64 * MIB)
    match codec:
        case "gzip":
            return gzip.compress(start) + 64 * gzip.compress(zeros)
        case "bzip2":
            return bz2.compress(start) + 64 * bz2.compress(zeros)
        case "xz":
            return lzma.compress(start) + 64 * lzma.compress(zeros)
        case "lz4":
            import lz4.frame

            frames: bytes = lz4.frame.compress(start) + 64 * lz4.frame.compress(zeros)
            return frames
        case _:
            import zstandard

            # One frame: a decoder that unpacks all of what it was given takes all memory.
            frame = zstandard.ZstdCompressor().compressobj()
            parts = [frame.compress(start), *(frame.compress(zeros) for _ in range(64))]
            return b"".join([*parts, frame.flush()])


BOMBS = ("gzip", "bzip2", "xz", "lz4", "zstd")
