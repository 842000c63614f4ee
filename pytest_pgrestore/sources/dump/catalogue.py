"""The dumps a source's path stands for, and the facts of a dump for catalogue and report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.dump.reading import dump_file, globs

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.dump.loading.role_file import RoleFile
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_COMPRESSED_GROWTH = 2
"""Least size of a database relative to its compressed dump.

A larger guess would refuse disks that are large enough.
"""

_FILES = (
    "The files of the database: a dump carries no checksums of them, and statistics may differ."
)
_UNNAMED = (
    "Whether the dump is of the right database: a plain dump made without --create does not name"
    " it."
)
_ENCODING = "Encoding and locale: a plain dump made without --create does not carry them."
_NO_START = "When the dump began: only its file's time is known, and data are of the beginning."
_ZONE = (
    "the dump's start is read from a clock whose zone the archive does not store;"
    " the earliest moment it can mean"
)


@dataclass(frozen=True, slots=True)
class DumpPaths:
    """The files and directories that may be a source's dumps.

    Attributes:
        pattern: File, directory or glob, as in the setting `path`.
        roles: The file of roles, which is not one of the dumps; None without one.
    """

    pattern: str
    roles: RoleFile | None

    def candidates(self) -> list[Path]:
        """Return the paths, oldest first.

        A single directory that is no dump stands for the files in it. Checksum files, logs and the
        file of roles are left out.

        Raises:
            HarnessError: The directory is missing or cannot be read.
        """
        found = self._matches(self.pattern)
        alone = found[0] if len(found) == 1 else None
        if alone is not None and alone.is_dir() and not globs.is_archive_directory(alone):
            found = self._matches(f"{self.pattern}/*")
        return [path for path in found if globs.may_be_a_dump(path)]

    def _matches(self, pattern: str) -> list[Path]:
        role_files = self.roles.matches() if self.roles is not None else []
        aside = {path.resolve() for path in role_files}
        return [path for path in globs.matches(pattern, "path") if path.resolve() not in aside]

    def newest(self, paths: list[Path]) -> DumpFile:
        """Return the dump at the last of `paths`.

        The one before it is never taken instead: it would be stale.

        Raises:
            BackupNotRestorable: There is no path, or the last one is empty, damaged or no dump.
        """
        if not paths:
            raise BackupNotRestorable(
                f"no backup matches {self.pattern}",
                hint="find out why the backup job writes none, or correct `path` in the source.",
            )
        dump = dump_file.inspect(paths[-1])
        if dump is not None and dump.readable:
            return dump
        problem = _why_unusable(paths[-1], dump)
        raise BackupNotRestorable(
            problem + (", and it is the newest match" if len(paths) > 1 else ""),
            hint="find out why the backup job wrote it, or narrow `path` in the source to the"
            " dumps.",
        )


def _why_unusable(path: Path, dump: DumpFile | None) -> str:
    if path.is_file() and path.stat().st_size == 0:
        return f"{path} is empty"
    if dump is not None:
        return f"{path} is cut short or damaged: not even its beginning can be decompressed"
    return f"{path} is not a dump of pg_dump or pg_dumpall, or its beginning is damaged"


def entry_of(dump: DumpFile) -> Backup:
    """Return the catalogue entry of a dump."""
    return Backup(
        label=dump.path.name,
        location=dump.path,
        form=dump.words,
        kind="logical",
        server_major=dump.server_major,
        started_at=dump.started_at,
        stopped_at=dump.stopped_at,
        database=dump.database,
        size_bytes=dump.size_bytes,
    )


def needed_bytes(dump: DumpFile) -> int:
    """Return an estimate of the size of the restored database."""
    growth = 1 if dump.words in {"plain", "cluster", "tar"} else _COMPRESSED_GROWTH
    return dump.size_bytes * growth


def not_checked(dump: DumpFile) -> tuple[str, ...]:
    """Return what cannot be verified of a dump, one sentence each."""
    sentences = [_FILES]
    if dump.form == "plain" and dump.database is None:
        sentences += [_UNNAMED, _ENCODING]
    if dump.started_at is None:
        sentences.append(_NO_START)
    return tuple(sentences)


def notes(dump: DumpFile, programs: PostgresPrograms) -> tuple[str, ...]:
    """Return other facts of a dump for the report, one sentence each."""
    sentences = []
    if dump.database:
        sentences.append(f"the dump was taken of database {dump.database}")
    if dump.is_archive and dump.started_at is not None:
        sentences.append(f"{_ZONE}, {dump.started_at.isoformat()}, is taken")
    if dump.server_major is not None and programs.major != dump.server_major:
        sentences.append(
            f"taken from PostgreSQL {dump.server_major} and restored under {programs.major}"
        )
    return tuple(sentences)


def not_in_the_dump(dump: DumpFile, wanted: str, existing: list[str]) -> BackupNotRestorable:
    """Return the error for a database that the dump does not hold."""
    return BackupNotRestorable(
        f"database {wanted} is not in {dump.path}, which holds {', '.join(existing) or 'none'}",
        hint="correct `database` in the source, or the dump job.",
    )


def only_database(names: list[str]) -> str:
    """Return the only database that is not PostgreSQL's own; otherwise ``postgres``."""
    own = [name for name in names if name not in {"postgres", "template0", "template1"}]
    return own[0] if len(own) == 1 else "postgres"
