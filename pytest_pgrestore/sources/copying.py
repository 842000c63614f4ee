"""Copying backups into the sandbox.

Copies are never hard links, because recovery writes into its files.
"""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_T = TypeVar("_T")

LARGEST_WAL_FILE = 1 << 30
"""Bytes of the largest WAL segment that ``initdb --wal-segsize`` accepts; no WAL file is larger."""

WORKERS = min(4, max(2, os.cpu_count() or 2))
"""Threads that copy. One reads while another writes; more threads only wait for the disk."""

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


def create(target: Path) -> IO[bytes]:
    """Create and open `target`, readable by its owner only. It must not exist."""
    return os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def copy_file(source: Path, target: Path) -> None:
    """Copy a file; the copy shares its blocks if the file system can do that (reflinks)."""
    with source.open("rb") as reader, create(target) as writer:
        copy_part(reader, 0, os.fstat(reader.fileno()).st_size, writer)


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
                size = os.fstat(plain.fileno()).st_size
                _require_size(size, limit_bytes, source)
                copy_part(plain, 0, size, writer)
            return
        with open_plain(source) as reader, create(target) as writer:
            while data := reader.read(CHUNK_BYTES):
                _require_size(writer.tell() + len(data), limit_bytes, source)
                writer.write(data)


def _require_size(size: int, limit_bytes: int, source: Path) -> None:
    if size > limit_bytes:
        raise BackupNotRestorable(
            f"{source} has more than {limit_bytes:,} bytes, and no file of its kind is that large",
            hint="find out what wrote it.",
        )


def copy_tree(source: Path, target: Path, *, without: Iterable[str] = ()) -> int:
    """Copy the tree below `source` into the directory `target`; return the number of files.

    Args:
        source: Directory to copy. Symbolic links in it are copied as links.
        target: Existing directory.
        without: Names directly below `source` that are left out.
    """
    left_out = set(without)
    pairs: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    with reading(source):
        _walk(str(source), str(target), left_out, pairs, links)
        for link, to in links:
            os.symlink(os.readlink(link), to)  # noqa: PTH115, PTH211 - Path is slow
        in_parallel(lambda pair: copy_file(Path(pair[0]), Path(pair[1])), pairs)
    return len(pairs)


def in_parallel(work: Callable[[_T], object], items: Iterable[_T]) -> None:
    """Run `work` on all items in a few threads; raise the first exception."""
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for _ in pool.map(work, items):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _walk(
    source: str,
    target: str,
    left_out: set[str],
    files: list[tuple[str, str]],
    links: list[tuple[str, str]],
) -> None:
    """Make the directories below `target`; collect files and links as pairs of paths.

    Sockets and other special files are left out.
    """
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name in left_out:
                continue
            to = f"{target}/{entry.name}"
            if entry.is_symlink():
                links.append((entry.path, to))
            elif entry.is_dir():
                os.mkdir(to, 0o700)  # noqa: PTH102 - Path is slow for many files
                _walk(entry.path, to, set(), files, links)
            elif entry.is_file():
                files.append((entry.path, to))
