"""Files that other processes read while we write them: written aside, then renamed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to `path`, so that a reader finds the old content or the new one, never a part.

    The text is UTF-8. Two processes may write the same file: the last one wins.

    Source: rename(2), which replaces a file atomically on one file system.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
