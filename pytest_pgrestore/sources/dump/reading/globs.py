"""Files that match a path or a glob, oldest first."""

from __future__ import annotations

import glob
from pathlib import Path

from pytest_pgrestore.model.errors import HarnessError


def matches(pattern: str, setting: str) -> list[Path]:
    """Return the files and directories that `pattern` matches, by time of modification, then name.

    The list is empty if nothing in a readable directory matches.

    Args:
        pattern: Absolute path or glob.
        setting: Name of the user's setting, for the error.

    Raises:
        HarnessError: The directory of the pattern is missing or cannot be read.
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
    # Path.glob does not support absolute patterns.
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - see above
    return sorted(found, key=lambda path: (modified(path), path.name))


def place(pattern: str) -> Path:
    """Return the directory that contains every match; without a wildcard, the path itself."""
    fixed = Path(pattern)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    return fixed


def modified(path: Path) -> float:
    """Return when a dump was last written, in seconds; of a directory, its newest file's time."""
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
"""Suffixes of files next to a dump that are no dumps: checksums, signatures, messages."""


def may_be_a_dump(path: Path) -> bool:
    """Return whether `path` can be a dump; a directory only in pg_dump's directory format."""
    return is_archive_directory(path) if path.is_dir() else path.suffix.lower() not in _BESIDE


def is_archive_directory(path: Path) -> bool:
    """Return whether `path` has files of pg_dump's directory format, even without toc.dat."""
    return (path / "toc.dat").exists() or any(path.glob("[0-9]*.dat*"))
