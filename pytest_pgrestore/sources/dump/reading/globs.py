"""Files that match a path or a glob, oldest first."""

from __future__ import annotations

import glob
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator


_STARS = re.compile(r"\*{2,}")


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
    times = {path: modified(path) for path in _found(pattern, fixed)}
    dated = [(when, path.name, path) for path, when in times.items() if when is not None]
    return [path for _, _, path in sorted(dated)]


def _found(pattern: str, fixed: Path) -> Iterator[Path]:
    parts = Path(pattern).relative_to(fixed).parts
    if "**" not in parts:
        # Path.glob does not support absolute patterns.
        return map(Path, glob.iglob(pattern))  # noqa: PTH207 - see above
    # glob.glob follows links for `**`: two of them to their own directory make 2 ** 40 paths.
    # Elsewhere in a name `**` means `*`, which Path.glob refuses before Python 3.13.
    rest = "/".join(part if part == "**" else _STARS.sub("*", part) for part in parts)
    return (path for path in fixed.glob(rest) if not _hidden(path.relative_to(fixed), rest))


def _hidden(path: Path, rest: str) -> bool:
    return not rest.startswith(".") and any(part.startswith(".") for part in path.parts)


def place(pattern: str) -> Path:
    """Return the directory that contains every match; without a wildcard, the path itself."""
    fixed = Path(pattern)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    return fixed


def modified(path: Path) -> float | None:
    """Return when a dump was last written, in seconds; of a directory, its newest file's time.

    None if it has gone. Of a link to nothing, or to what this user may not read, it is the link's
    own time: leaving it out would choose an older dump in silence.
    """
    try:
        facts = path.stat()
    except OSError:
        return _of_link(path)
    if not stat.S_ISDIR(facts.st_mode):
        return facts.st_mtime
    try:
        with os.scandir(path) as found:
            times = [entry.stat(follow_symlinks=False).st_mtime for entry in found]
    except OSError:
        times = []
    return max(times, default=facts.st_mtime)


def _of_link(path: Path) -> float | None:
    try:
        return path.lstat().st_mtime
    except OSError:
        return None


_BESIDE = (
    ".md5",
    ".sha1",
    ".sha256",
    ".sha512",
    ".sig",
    ".log",
    ".err",
    ".txt",
    ".json",
    ".list",
    ".ok",
)
"""Suffixes of files next to a dump that are no dumps: checksums, signatures, messages."""


_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"


def may_be_a_dump(path: Path) -> bool:
    """Return whether `path` can be a dump; a directory only in pg_dump's directory format."""
    if is_directory(path):
        return is_dump_directory(path)
    suffix = path.suffix.lower()
    return suffix not in _BESIDE and not (suffix == ".asc" and _is_signature(path))


def _is_signature(path: Path) -> bool:
    """Return whether an armored file is a signature, and no encrypted dump."""
    try:
        with open_regular(path) as stream:
            return stream.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return False


def is_dump_directory(path: Path) -> bool:
    """Return whether a directory is one dump: in pg_dump's format, or pg_dumpall's since 19."""
    return is_archive_directory(path) or os.path.lexists(path / "map.dat")


def is_empty_directory(path: Path) -> bool:
    """Return whether a directory has no files, as pg_dump leaves one that cannot connect."""
    try:
        return is_directory(path) and not any(path.iterdir())
    except OSError:
        return False


def is_directory(path: Path) -> bool:
    """Return whether `path` is a directory; False if this user may not look."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_archive_directory(path: Path) -> bool:
    """Return whether `path` has files of pg_dump's directory format, even without toc.dat."""
    return os.path.lexists(path / "toc.dat") or any(path.glob("[0-9]*.dat*"))
