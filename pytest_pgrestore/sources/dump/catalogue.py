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

    def chosen(self) -> tuple[DumpFile, str]:
        """Return the newest dump, and why it was chosen, in words.

        The one before it is never taken instead: it would be stale.

        Raises:
            BackupNotRestorable: There is no path, or the last one is empty, damaged or no dump.
        """
        paths = self.candidates()
        if not paths:
            raise BackupNotRestorable(
                f"no backup matches {self.pattern}",
                hint="find out why the backup job writes none, or correct `path` in the source.",
            )
        dump = dump_file.inspect(paths[-1])
        if dump is not None and dump.readable:
            return dump, f"the newest of {len(paths)}" if len(paths) > 1 else "the only one"
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


def entry_of_all(dumps: list[DumpFile]) -> Backup:
    """Return the catalogue entry of a backup that is made of `dumps`."""
    entries = [entry_of(dump) for dump in dumps]
    if len(entries) == 1:
        return entries[0]
    started = [entry.started_at for entry in entries if entry.started_at is not None]
    stopped = [entry.stopped_at for entry in entries if entry.stopped_at is not None]
    return Backup(
        label=" + ".join(entry.label for entry in entries),
        location=", ".join(str(entry.location) for entry in entries),
        form=" + ".join(dict.fromkeys(entry.form for entry in entries)),
        kind="logical",
        server_major=max((entry.server_major or 0 for entry in entries), default=0) or None,
        # The oldest part decides what would be lost.
        started_at=min(started) if len(started) == len(entries) else None,
        stopped_at=min(stopped) if len(stopped) == len(entries) else None,
        database=next((entry.database for entry in entries if entry.database), None),
        size_bytes=sum(entry.size_bytes or 0 for entry in entries),
    )


def selection(words: list[str]) -> str:
    """Return why the files of a backup were chosen, in words."""
    if len(words) == 1:
        return words[0]
    return f"{len(words)} files, in the order of `path`: {'; '.join(words)}"


def major_of(dumps: list[DumpFile]) -> int | None:
    """Return the major version that the dumps need; None if they tell none."""
    return max(max(dump.server_major or 0, dump.tool_major or 0) for dump in dumps) or None


def needed_bytes(dump: DumpFile) -> int:
    """Return an estimate of the size of the restored database."""
    growth = 1 if dump.words in {"plain", "cluster", "tar"} else _COMPRESSED_GROWTH
    return dump.size_bytes * growth


def not_checked(dumps: list[DumpFile]) -> tuple[str, ...]:
    """Return what cannot be verified of a backup, one sentence each."""
    sentences = [_FILES]
    if all(dump.form == "plain" and dump.database is None for dump in dumps):
        sentences += [_UNNAMED, _ENCODING]
    if any(dump.started_at is None for dump in dumps):
        sentences.append(_NO_START)
    return tuple(sentences)


def notes(dumps: list[DumpFile], programs: PostgresPrograms) -> tuple[str, ...]:
    """Return other facts of a backup for the report, one sentence each."""
    return tuple(dict.fromkeys(note for dump in dumps for note in _notes(dump, programs)))


def _notes(dump: DumpFile, programs: PostgresPrograms) -> list[str]:
    sentences = []
    if dump.database:
        sentences.append(f"the dump was taken of database {dump.database}")
    if dump.is_archive and dump.started_at is not None:
        sentences.append(f"{_ZONE}, {dump.started_at.isoformat()}, is taken")
    if dump.server_major is not None and programs.major != dump.server_major:
        sentences.append(
            f"taken from PostgreSQL {dump.server_major} and restored under {programs.major}"
        )
    return sentences


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
