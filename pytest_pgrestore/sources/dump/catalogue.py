"""The dumps that a path stands for, and which of them is the newest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    ConfigError,
    HarnessError,
    PgRestoreError,
)
from pytest_pgrestore.sources.dump import facts
from pytest_pgrestore.sources.dump.reading import dump_file, foreign, globs, moments, plain_header
from pytest_pgrestore.sources.dump.reading.moments import Moment, NamePattern

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sources.dump.loading.role_file import RoleFile
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_BY_FILE = f'the file\'s time, by taken_at = "{moments.MODIFIED}"'


@dataclass(frozen=True, slots=True)
class Found:
    """The newest dump of a path.

    Attributes:
        dump: The dump.
        selection: Why it was chosen, in words.
        not_checked: What that leaves open, one sentence each.
        notes: Other facts for the report, one sentence each.
    """

    dump: DumpFile
    selection: str
    not_checked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DumpPaths:
    """The files and directories that may be a source's dumps.

    Attributes:
        pattern: File, directory or glob, as in the setting `path`.
        roles: The file of roles, which is not one of the dumps; None without one.
        taken_at: Who tells when a dump began: ``modified``, a pattern for its name, or None for the
            dump itself.
    """

    pattern: str
    roles: RoleFile | None
    taken_at: str | NamePattern | None = None

    def candidates(self) -> list[Path]:
        """Return the paths that may be dumps, by their files' times, the oldest first.

        A single directory that is no dump stands for the files in it. Checksum files, logs and the
        file of roles are left out. Beside dumps in directory format an empty directory may be one:
        pg_dump leaves it if it cannot connect.

        Raises:
            ConfigError: There is nothing but the file of roles.
            HarnessError: The directory is missing or cannot be read.
        """
        found = self._matches(self.pattern)
        alone = found[0] if len(found) == 1 else None
        if alone is not None and globs.is_directory(alone) and not globs.is_dump_directory(alone):
            found = self._matches(f"{self.pattern}/*")
        folders = [path for path in found if globs.is_directory(path)]
        has_directories = any(map(globs.is_archive_directory, folders))
        return [
            path
            for path in found
            if globs.may_be_a_dump(path) or (has_directories and globs.is_empty_directory(path))
        ]

    def _matches(self, pattern: str) -> list[Path]:
        role_files = self.roles.matches() if self.roles is not None else []
        aside = {path.resolve() for path in role_files}
        found = globs.matches(pattern, "path")
        dumps = [path for path in found if path.resolve() not in aside]
        if found and not dumps:
            raise ConfigError(
                f"path and globals both name {found[0]}, and no dump is left",
                hint="name the dumps in `path`, and in `globals` the output of pg_dumpall"
                " --globals-only beside them; a whole pg_dumpall needs no globals.",
            )
        return dumps

    def newest(self, decrypt: Callable[[Path], DumpFile] | None) -> Found:
        """Return the newest dump.

        The one before it is never taken instead: it would be stale.

        Args:
            decrypt: Returns the dump in a file that is none as it stands; None without a command.

        Raises:
            BackupNotRestorable: There is no path, or the last one is empty, damaged or no dump.
            HarnessError: It is encrypted, or its name does not tell its moment.
        """
        paths = self.candidates()
        if not paths:
            raise BackupNotRestorable(
                f"no backup matches {self.pattern}",
                hint="find out why the backup job writes none, or correct `path` in the source.",
            )
        path, selection, not_checked = self._chosen(paths)
        dump = dump_file.inspect(path)
        if dump is None and decrypt is not None and path.is_file() and path.stat().st_size:
            dump = decrypt(path)
        if dump is None or not dump.readable:
            raise _unusable(path, dump, is_one_of_many=len(paths) > 1)
        is_clear = decrypt is not None and dump.stored is None
        notes = (f"{path.name} is not encrypted: decrypt was not used",) if is_clear else ()
        return Found(self.dated(dump), selection, not_checked, notes)

    def entries(self) -> list[Backup]:
        """Return the entries of the catalogue, oldest first; other files are left out."""
        found: list[tuple[datetime, Backup]] = []
        for path in self.candidates():
            dump = dump_file.inspect(path)
            entry = facts.entry_of(self.dated(dump)) if dump is not None else facts.encrypted(path)
            if entry is not None:
                found.append((entry.started_at or _file_time(path), entry))
        return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]

    def dated(self, dump: DumpFile) -> DumpFile:
        """Return the dump with the moment that the setting chooses."""
        if self.taken_at is None:
            return dump
        return replace(dump, moment=self._told(dump.location))

    def _told(self, path: Path) -> Moment:
        """Return the moment of a file by the setting `taken_at`.

        Raises:
            HarnessError: The pattern does not match its name.
        """
        if not isinstance(self.taken_at, NamePattern):
            return Moment(_file_time(path), _BY_FILE)
        moment = self.taken_at.moment(path.name)
        if moment.at is None:
            raise HarnessError(
                f"{path}: {moment.told_by}",
                hint="correct `taken_at`, or let `path` match the dumps only.",
            )
        return moment

    def _chosen(self, paths: list[Path]) -> tuple[Path, str, tuple[str, ...]]:
        """Return the path of the newest dump, why it is that, and what this leaves open."""
        count = len(paths)
        if count == 1:
            return paths[0], "the only one", ()
        if self.taken_at is not None:
            by = "names" if isinstance(self.taken_at, NamePattern) else "times"
            told = {path: self._told(path).at for path in paths}
            return _last(told), f"the newest of {count}, by the {by} of the files", ()
        own = {path: _own_moment(path) for path in paths}
        silent = sum(moment is None for moment in own.values())
        selection = f"the newest of {count}, by the moments they state"
        if not silent:
            return _last(own), selection, ()
        told = {path: moment or _file_time(path) for path, moment in own.items()}
        which = "all" if silent == count else str(silent)
        doubt = (
            f"Whether it is the newest: {which} of the {count} dumps state no moment, and the time"
            " of a file is that of its last copy. Set taken_at in the source."
        )
        if silent == count:
            return _last(told), f"the newest of {count}, by their files' times", (doubt,)
        selection += f", and for {silent} that state none by their files' times"
        return _last(told), selection, (doubt,)


def _file_time(path: Path) -> datetime:
    return moments.file_time(globs.modified(path) or 0)


def _last(told: dict[Path, datetime | None]) -> Path:
    """Return the path with the latest moment; of two at the same moment the one later in order."""
    dated = [(at, place) for place, at in enumerate(told.values()) if at is not None]
    return list(told)[max(dated)[1]]


def _own_moment(path: Path) -> datetime | None:
    """Return the moment that a dump states; None for anything else."""
    try:
        dump = dump_file.inspect(path)
    except PgRestoreError:
        return None  # if it is the newest, the error is told
    return dump.started_at if dump is not None and dump.readable else None


def _unusable(path: Path, dump: DumpFile | None, *, is_one_of_many: bool) -> PgRestoreError:
    """Return the error for a file that is no dump as it stands."""
    if path.is_file() and path.stat().st_size == 0:
        problem = f"{path} is empty"
    elif globs.is_empty_directory(path):
        problem = f"{path} is an empty directory"
    elif not path.exists():
        problem = f"{path} is a link to nothing"
    elif dump is not None:
        if (lacking := plain_header.lacking_here(path)) is not None:
            return lacking
        problem = f"{path} is cut short or damaged: not even its beginning can be decompressed"
    elif (cause := foreign.cause_of(path)) is not None:
        return cause
    else:
        problem = f"{path} is not a dump of pg_dump or pg_dumpall, or its beginning is damaged"
    return BackupNotRestorable(
        problem + (", and it is the newest match" if is_one_of_many else ""),
        hint="find out why the backup job wrote it, or narrow `path` in the source to the dumps.",
    )
