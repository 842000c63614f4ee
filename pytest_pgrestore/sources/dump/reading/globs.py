"""Files a path or a glob stands for, oldest first."""

from __future__ import annotations

import glob
from pathlib import Path

from pytest_pgrestore.model.errors import HarnessError


def matches(pattern: str, setting: str) -> list[Path]:
    """Return the files and directories `pattern` matches, by time of modification, then name.

    Raises:
        HarnessError: The directory it names is not there, or cannot be read. No match in a readable one is empty.
    """
    fixed = place(pattern)
    folder = fixed if str(fixed) != pattern else fixed.parent
    try:
        list(folder.iterdir())
    except OSError as exc:
        raise HarnessError(
            f"{folder} cannot be read: {exc.strerror}",
            hint=f"check `{setting}` in the source, whether it is mounted, and who may read it.",
        ) from None
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - absolute patterns
    return sorted(found, key=lambda path: (modified(path), path.name))


def place(pattern: str) -> Path:
    """Return the directory below which every match of `pattern` lies; without a wildcard, the path itself."""
    fixed = Path(pattern)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    return fixed


def modified(path: Path) -> float:
    """Return when a dump was last written; for a directory, the newest of its files."""
    if not path.is_dir():
        return path.stat().st_mtime
    return max([entry.stat().st_mtime for entry in path.iterdir()], default=path.stat().st_mtime)


_BESIDE = (
    ".md5",
    ".sha1",
    ".sha256",
    ".sha512",
    ".asc",
    ".sig",
    ".log",
    ".err",
    ".txt",
    ".json",
    ".list",
    ".ok",
)
"""Endings of what lies beside a dump and is none: checksums, signatures, messages."""


def may_be_a_dump(path: Path) -> bool:
    """Tell whether `path` may be meant as a dump; a directory only with the files of pg_dump's directory format."""
    return is_archive_directory(path) if path.is_dir() else path.suffix.lower() not in _BESIDE


def is_archive_directory(path: Path) -> bool:
    """Tell whether `path` has the files of pg_dump's directory format, its table of contents or not."""
    return (path / "toc.dat").exists() or any(path.glob("[0-9]*.dat*"))
