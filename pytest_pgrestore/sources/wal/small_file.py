"""The small text files of an archive, ``.history`` and ``.backup``: read whole, up to a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import open_plain, reading

if TYPE_CHECKING:
    from pathlib import Path


def read_small(path: Path, limit_bytes: int) -> str:
    """Return the text of a small file of an archive, decompressed.

    Raises:
        BackupNotRestorable: It is cut short, damaged, no regular file, or larger than any that
            PostgreSQL writes.
        HarnessError: It cannot be read.
    """
    with reading(path), open_plain(path) as stream:
        content = stream.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise BackupNotRestorable(
            f"{path} has more than {limit_bytes:,} bytes, and PostgreSQL writes a few lines there",
            hint="find out what wrote it; restore it from another copy of the archive.",
        )
    return content.decode(errors="backslashreplace")
