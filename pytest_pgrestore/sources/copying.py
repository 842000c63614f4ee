"""Copying backups into the sandbox: fast, and never by a hard link, because recovery writes into its files."""

from __future__ import annotations

import os
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading

if TYPE_CHECKING:
    from collections.abc import Iterable

WORKERS = max(2, os.cpu_count() or 2)
_RANGE_BYTES = 1 << 30


def copy_file(source: Path, target: Path) -> None:
    """Copy bytes inside the kernel, sharing blocks where the file system can (reflinks)."""
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            while os.copy_file_range(reader.fileno(), writer.fileno(), _RANGE_BYTES):
                pass
        except (OSError, AttributeError):
            # Another file system, an old kernel, a network mount: start over the ordinary way.
            reader.seek(0)
            writer.truncate(0)
            writer.seek(0)
            shutil.copyfileobj(reader, writer, CHUNK_BYTES)


def copy_plain(source: Path, target: Path) -> None:
    """Copy `source`, decompressing it where it is compressed.

    Raises:
        BackupNotRestorable: It is cut short or damaged.
    """
    with reading(source):
        if codec_of(source) == "none":
            copy_file(source, target)
            return
        with open_plain(source) as reader, target.open("xb") as writer:
            shutil.copyfileobj(reader, writer, CHUNK_BYTES)


def copy_tree(source: Path, target: Path, *, without: Iterable[str] = ()) -> int:
    """Copy the tree below `source` into the existing directory `target`; return the number of files.

    Args:
        source: Directory to copy; symbolic links in it are copied as links.
        target: Existing directory.
        without: Names directly below `source` to leave out.
    """
    left_out = set(without)
    pairs: list[tuple[Path, Path]] = []
    with reading(source):
        for folder, folders, files in os.walk(source):
            here = target / Path(folder).relative_to(source)
            if folder == str(source):
                folders[:] = [name for name in folders if name not in left_out]
                files = [name for name in files if name not in left_out]  # noqa: PLW2901 - the walk's own list
            for name in list(folders):
                if os.path.islink(os.path.join(folder, name)):  # noqa: PTH114, PTH118 - hot
                    (here / name).symlink_to(os.readlink(os.path.join(folder, name)))  # noqa: PTH115, PTH118
                else:
                    (here / name).mkdir(mode=0o700)
            pairs += [(Path(folder) / name, here / name) for name in files]
        with ThreadPoolExecutor(WORKERS) as pool:
            for _ in pool.map(_copy_entry, pairs, chunksize=64):
                pass
    return len(pairs)


def extract_tar(archive: Path, target: Path, *, without: Iterable[str] = ()) -> int:
    """Unpack a tar, compressed or not, into the existing directory `target`; return the number of files.

    Raises:
        BackupNotRestorable: It is cut short, damaged, or names a path outside `target`.
    """
    left_out = set(without)
    count = 0
    with reading(archive), open_plain(archive) as stream, _stream(stream) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if name in left_out or name.partition("/")[0] in left_out:
                continue
            _extract(tar, member, target, archive)
            count += member.isfile()
        # A tar cut at a member's border looks whole but for the two blocks of zeros that end one.
        _require_end(stream, tar, archive)
    return count


def _stream(stream: object) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK_BYTES)  # type: ignore[call-overload,no-any-return]


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, archive: Path) -> None:
    path = target / member.name
    if not path.resolve().is_relative_to(target.resolve()) or not (member.isfile() or member.isdir()):
        raise BackupNotRestorable(
            f"{archive} holds {member.name!r}, which is not a file or directory below the data directory",
            hint="pg_basebackup writes no such member: find out what did.",
        )
    if member.isdir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    reader = tar.extractfile(member)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("xb") as writer:
        if reader is not None:
            shutil.copyfileobj(reader, writer, CHUNK_BYTES)
    if path.stat().st_size != member.size:
        raise EOFError(archive)


def _require_end(stream: object, tar: tarfile.TarFile, archive: Path) -> None:
    """Read to the end, so that a damaged tail of the compressed stream is noticed too.

    Raises:
        EOFError: The blocks of zeros that end a tar are not there: it was cut at the border of a member.
    """
    ended = tar.fileobj is not None and tar.fileobj.tell() >= tar.offset + tarfile.BLOCKSIZE
    while stream.read(CHUNK_BYTES):  # type: ignore[attr-defined]
        pass
    if not ended:
        raise EOFError(archive)


def _copy_entry(pair: tuple[Path, Path]) -> None:
    source, target = pair
    if source.is_symlink():
        target.symlink_to(source.readlink())
    else:
        copy_file(source, target)
