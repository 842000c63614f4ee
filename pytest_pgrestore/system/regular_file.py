"""Opening files whose names somebody else may have made: never a FIFO, a device or a directory.

A FIFO or a device at a path makes an ordinary open or read wait for ever, or never end.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class NotRegularError(OSError):
    """The path is no regular file: a link where none may be, a FIFO, a device, a directory."""


class TooLargeError(OSError):
    """The file is larger than the reader's limit."""


def open_regular(
    path: Path | str, *, follow: bool = True, directory: int | None = None
) -> IO[bytes]:
    """Open `path` for reading, without buffering surprises: it is a regular file when we return.

    Args:
        path: The file.
        follow: Whether a link as the last part of the path is followed. Never where a less
            privileged user can make one.
        directory: Descriptor of the directory that `path` is relative to; None for ours.

    Raises:
        NotRegularError: It is no regular file, or a link and `follow` is false.
        OSError: It cannot be opened.

    Source: open(2): O_NONBLOCK returns at once for a FIFO, O_NOFOLLOW refuses a link (ELOOP).
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, dir_fd=directory)
    except OSError as exc:
        if exc.errno == errno.ELOOP and not follow:
            raise NotRegularError(exc.errno, "is a link", str(path)) from exc
        if exc.errno == errno.ENXIO:  # a socket
            raise NotRegularError(exc.errno, "is no regular file", str(path)) from exc
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(errno.EINVAL, "is no regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_limited(path: Path, limit_bytes: int, *, follow: bool = True) -> bytes:
    """Return the whole content of the regular file `path`.

    Raises:
        TooLargeError: It has more than `limit_bytes`.
        NotRegularError: See `open_regular`.
        OSError: It cannot be read.
    """
    with open_regular(path, follow=follow) as stream:
        content = stream.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise TooLargeError(errno.EFBIG, f"has more than {limit_bytes:,} bytes", str(path))
    return content
