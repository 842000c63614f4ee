"""How pg_restore gets an archive: in place, from standard input, or as a checked copy.

pg_restore reads what somebody else wrote, so it runs as the server's user, never as the caller. If
only the caller may read the archive, the caller opens it and hands it over.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, reading
from pytest_pgrestore.sources.copying import copy_part, create, in_parallel
from pytest_pgrestore.sources.dump.reading import archive_files
from pytest_pgrestore.system.regular_file import NotRegularError, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, Sandbox
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

COPIED = "from a copy of the archive, which the server's user may not read in place"


_PASSABLE = 0o711
"""Mode of a directory of copies. It stays ours, so that nobody puts links into it."""


@dataclass(frozen=True, slots=True)
class ArchiveInput:
    """What pg_restore reads.

    Attributes:
        arguments: The archive's path; nothing for standard input.
        stdin: Chunks for its standard input; None without.
        note: How the archive is read, for the evidence; empty if in place.
    """

    arguments: tuple[str, ...] = ()
    stdin: Iterator[bytes] | None = None
    note: str = ""


def in_place(dump: DumpFile) -> ArchiveInput:
    """Return the archive itself."""
    return ArchiveInput((str(dump.path),))


@contextmanager
def contents_only(dump: DumpFile, programs: PostgresPrograms) -> Iterator[ArchiveInput]:
    """Give the programs an archive's table of contents, where they may not read it in place.

    Raises:
        BackupNotRestorable: It is no regular file.
        HarnessError: The caller cannot read it either.
    """
    if dump.form != "directory":
        yield _streamed(dump)
        return
    copy = Path(tempfile.mkdtemp(dir=programs.scratch))
    try:
        copy.chmod(_PASSABLE)
        programs.account.own(_copy_member(dump.path / archive_files.CONTENTS, copy))
        yield ArchiveInput((str(copy),))
    finally:
        shutil.rmtree(copy, ignore_errors=True)


@contextmanager
def whole(dump: DumpFile, sandbox: Sandbox, *, parallel: bool) -> Iterator[ArchiveInput]:
    """Give the sandbox's programs an archive that they may not read in place.

    A copy shares the blocks of the archive if the file system can do that.

    Raises:
        BackupNotRestorable: A file of it is no regular file.
        HarnessError: The caller cannot read it either.
    """
    if dump.form == "tar" or (dump.form == "custom" and not parallel):
        yield _streamed(dump)
        return
    copy = Path(tempfile.mkdtemp(prefix="archive-", dir=sandbox.root))
    try:
        if dump.form == "directory":
            members = archive_files.members_of(dump.path)
            in_parallel(lambda member: sandbox.adopt(_copy_member(member, copy)), members)
            path = copy
        else:
            path = copy / "archive"
            with _opened(dump.path) as stream:
                _copy(stream, path)
            sandbox.adopt(path)
        copy.chmod(_PASSABLE)
        yield ArchiveInput((str(path),), note=COPIED)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _streamed(dump: DumpFile) -> ArchiveInput:
    return ArchiveInput(stdin=_chunks(dump.path))


def _chunks(path: Path) -> Iterator[bytes]:
    with _opened(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _copy_member(member: Path, folder: Path) -> Path:
    target = folder / member.name
    with _opened(member, follow=False) as stream:
        _copy(stream, target)
    return target


def _copy(stream: IO[bytes], target: Path) -> None:
    with create(target) as writer:
        copy_part(stream, 0, os.fstat(stream.fileno()).st_size, writer)


@contextmanager
def _opened(path: Path, *, follow: bool = True) -> Iterator[IO[bytes]]:
    """Open a file of an archive; `follow` is for the link that a user may name."""
    try:
        with reading(path), open_regular(path, follow=follow) as stream:
            yield stream
    except NotRegularError as exc:
        raise BackupNotRestorable(
            f"{path} {exc.strerror}", hint="find out who put that in the place of the dump."
        ) from exc
