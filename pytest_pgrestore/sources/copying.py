"""Copying backups into the sandbox.

Copies are never hard links, because recovery writes into its files. The author of a backup may have
put anything into its directories, also while they are read: each file is opened by name in an open
directory, no link is followed, and only regular files are read.
"""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, TypeVar

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_T = TypeVar("_T")

LARGEST_WAL_FILE = 1 << 30
"""Bytes of the largest WAL segment that ``initdb --wal-segsize`` accepts; no WAL file is larger."""

WORKERS = min(4, max(2, os.cpu_count() or 2))
"""Threads that copy. One reads while another writes; more threads only wait for the disk."""

LARGEST_WAL_FILE = 1 << 30
"""Bytes of the largest WAL segment that ``initdb --wal-segsize`` accepts; no WAL file is larger."""

_RANGE_BYTES = 1 << 30
"""Most bytes copied by one call of copy_file_range(2)."""

_NOT_IN_KERNEL = {
    errno.EXDEV,
    errno.ENOSYS,
    errno.EINVAL,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EBADF,
    errno.ETXTBSY,
}
"""Errors of copy_file_range(2) if the kernel or a file system does not support the call.

A full disk (ENOSPC) is a real error and not in this set.
"""


def create(target: Path | str, directory: int | None = None) -> IO[bytes]:
    """Create and open `target`, readable by its owner only. It must not exist.

    Args:
        target: Its path.
        directory: Descriptor of the directory that `target` is relative to; None for ours.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    return os.fdopen(os.open(target, flags, 0o600, dir_fd=directory), "wb")


def copy_file(source: Path, target: Path) -> None:
    """Copy a regular file, not a link; the copy shares its blocks if the file system can do that.

    Raises:
        BackupNotRestorable: `source` is a link, a FIFO or a device.
        HarnessError: It became shorter meanwhile.
    """
    with reading(source), open_regular(source, follow=False) as reader, create(target) as writer:
        copy_whole(reader, writer, source)


def copy_part(reader: IO[bytes], offset: int, size: int, writer: IO[bytes]) -> int:
    """Copy up to `size` bytes from `offset` on; return the number of bytes copied.

    The kernel copies with copy_file_range(2) if it can; otherwise this process copies.
    """
    left = size
    try:
        while left > 0:
            done = os.copy_file_range(
                reader.fileno(), writer.fileno(), min(left, _RANGE_BYTES), offset_src=offset
            )
            if done == 0:
                return size - left
            left, offset = left - done, offset + done
    except AttributeError:
        # Python offers os.copy_file_range on Linux only, with glibc 2.27 or newer.
        pass
    except OSError as exc:
        if exc.errno not in _NOT_IN_KERNEL:
            raise
    while left > 0 and (data := os.pread(reader.fileno(), min(left, CHUNK_BYTES), offset)):
        writer.write(data)
        left, offset = left - len(data), offset + len(data)
    return size - left


def copy_plain(source: Path, target: Path, limit_bytes: int = LARGEST_WAL_FILE) -> None:
    """Copy the WAL file `source`; a compressed file is decompressed. A link is followed.

    Args:
        source: The file.
        target: It must not exist.
        limit_bytes: Most bytes of the copy.

    Raises:
        BackupNotRestorable: The file is cut short, damaged, no regular file, or too large.
    """
    with reading(source):
        if codec_of(source) == "none":
            with open_regular(source) as plain, create(target) as writer:
                _require_size(os.fstat(plain.fileno()).st_size, limit_bytes, source)
                copy_whole(plain, writer, source)
            return
        with open_plain(source) as reader, create(target) as writer:
            while data := reader.read(CHUNK_BYTES):
                _require_size(writer.tell() + len(data), limit_bytes, source)
                writer.write(data)


def in_parallel(work: Callable[[_T], object], items: Iterable[_T]) -> None:
    """Run `work` on all items in a few threads; raise the first exception."""
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for _ in pool.map(work, items):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def copy_whole(reader: IO[bytes], writer: IO[bytes], source: object) -> None:
    """Copy an open regular file.

    Raises:
        HarnessError: It became shorter meanwhile.
    """
    size = os.fstat(reader.fileno()).st_size
    if copy_part(reader, 0, size, writer) != size:
        raise changed(source)


def changed(place: object) -> HarnessError:
    """Return the error for a backup that somebody writes to while it is read."""
    return HarnessError(
        f"{place} changed while it was copied",
        hint="drill a backup that nothing writes to: is its job still running?",
    )


def _require_size(size: int, limit_bytes: int, source: Path) -> None:
    if size > limit_bytes:
        raise BackupNotRestorable(
            f"{source} has more than {limit_bytes:,} bytes, and no file of its kind is that large",
            hint="find out what wrote it.",
        )
