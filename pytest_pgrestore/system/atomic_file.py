"""Files that other processes read while we write them: written aside, then renamed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file, so that a reader finds the old one or the new one, also after a power cut.

    Args:
        path: Of the file. The hidden one beside it, which is renamed, has another ending.
        content: All of it.
        mode: Whatever the umask is.

    Raises:
        OSError: It cannot be written.
    """
    aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    descriptor = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to `path`, so that a reader finds the old content or the new one, never a part.

    The text is UTF-8. Two processes may write the same file: the last one wins.

    Source: rename(2), which replaces a file atomically on one file system.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
