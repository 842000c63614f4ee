"""Source `dump`: what pg_dump and pg_dumpall wrote, in every format, loaded into an empty cluster.

A dump's data are of the moment it began: everything committed while it ran is missing from it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.sources.dump.contents import compare
from pytest_pgrestore.sources.dump.loading import messages
from pytest_pgrestore.sources.dump.loading.load import Choice, Loading
from pytest_pgrestore.sources.dump.loading.role_file import RoleFile
from pytest_pgrestore.sources.dump.reading import dump_file, globs, toc
from pytest_pgrestore.sources.protocol import ChosenBackup

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, Sandbox, ToolRunner
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.sources.protocol import Connection, LocateRequest

COMPRESSED_GROWTH = 2
"""How much larger than a compressed dump its database is at least; guessing too high would refuse a good disk."""

_LOGICAL = (
    "The files of the database: a dump carries no checksums of them, and statistics may differ."
)
_UNNAMED = "Whether the dump is of the right database: a plain dump made without --create does not name it."
_ENCODING = "Encoding and locale: a plain dump made without --create does not carry them."
_ZONE = "the dump's start is read from a clock whose zone the archive does not store; the earliest moment it can mean"
_NO_START = "When the dump began: only its file's time is known, and data are of the beginning."


@dataclass(slots=True)
class _Choice:
    """What `locate` found out, kept for the later steps of the same restore."""

    dump: DumpFile
    contents: toc.Toc | None
    promised: dict[str, list[toc.Entry]] = field(default_factory=dict)


class DumpSource:
    """Implements `sources.protocol.LogicalSource` for pg_dump and pg_dumpall.

    Args:
        name: The user's name for it.
        path: File, directory (of the directory format, or one that holds dumps) or glob; the newest dump is taken.
        globals_path: Output of ``pg_dumpall --globals-only``, loaded first; file or glob.
        database: Name to restore under; the dump must be of it where it tells. pg_dumpall: where fixtures connect.
        jobs: Parallel jobs of pg_restore; None is one for each core.
        tables: Only these tables, with their rows, indexes, keys, sequences, types and partitions. Archives only.
        schema_only: No rows. Archives only.
        data_only: No definitions: `schema` has to bring them.
        schema: A plain dump made with --schema-only, loaded before the data.
        owners: Whether to restore owners and privileges. Without them a plain dump gets roles without rights instead.
        timeout_seconds: Deadline of one tool.
    """

    type = "dump"
    requirements = None

    def __init__(  # noqa: PLR0913 - a source's settings
        self,
        name: str,
        path: str,
        *,
        globals_path: str | None = None,
        database: str | None = None,
        jobs: int | None = None,
        tables: tuple[str, ...] = (),
        schema_only: bool = False,
        data_only: bool = False,
        schema: str | None = None,
        owners: bool = True,
        timeout_seconds: float = 3600.0,
    ) -> None:
        if data_only and schema is None:
            raise ConfigError(
                f"source {name} restores data only, and nothing brings the tables",
                hint='add schema_file = "..." with a plain dump made by pg_dump --schema-only, or drop data_only.',
            )
        if data_only and schema_only:
            raise ConfigError(
                f"source {name} restores neither data nor definitions",
                hint="drop data_only or schema_only.",
            )
        self.name = name
        self._pattern = path
        self._globals = RoleFile(globals_path) if globals_path is not None else None
        self._database = database
        self._choice = Choice(
            jobs=jobs or os.cpu_count() or 1,
            tables=tables,
            schema_only=schema_only,
            data_only=data_only,
            schema=Path(schema) if schema is not None else None,
            owners=owners,
            timeout_seconds=timeout_seconds,
        )
        self._choices: dict[Path | str, _Choice] = {}

    @property
    def places(self) -> tuple[Path, ...]:
        """Where the dumps are; roles and definitions are read by us and fed to psql."""
        return (globs.place(self._pattern),)

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return ("contents",)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:  # noqa: ARG002 - no tool but PostgreSQL's
        """Return the dumps there are, oldest first; what is no dump is left out."""
        return [
            _backup(dump) for path in self._paths() if (dump := dump_file.inspect(path)) is not None
        ]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the newest dump, and see that it is whole as far as that can be seen without loading it."""
        if not isinstance(request.target, Latest):
            raise ConfigError(
                f"source {self.name} is a dump and cannot be recovered to {request.target}",
                hint="a dump holds one moment: use target latest, or a base backup with a WAL archive.",
            )
        paths = self._paths()
        dump = self._newest(paths)
        self._choice.require_possible(dump)
        dump_file.require_complete(dump)
        major = max(dump.server_major or 0, dump.tool_major or 0) or None
        programs = request.find_programs(major)
        contents = _contents(dump, programs) if dump.is_archive else None
        self._require_database(dump)
        if contents is not None:
            self._require_roles(dump, contents)
            self._choice.expected(contents)
        self._choices[dump.path] = _Choice(dump, contents)
        return ChosenBackup(
            backup=_backup(dump),
            selection=f"the newest of {len(paths)}" if len(paths) > 1 else "the only one",
            server_major=major or programs.major,
            needed_bytes=dump.size_bytes
            * (1 if dump.words in {"plain", "cluster", "tar"} else COMPRESSED_GROWTH),
            not_checked=_not_checked(dump),
            notes=_notes(dump, programs),
            backup_paths=(
                dump.path,
                *([] if self._globals is None else [self._globals.newest().path]),
            ),
        )

    def load(
        self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection
    ) -> tuple[str, str]:
        """Load roles, then the dump; return the database it went into, and words for the phase."""
        remembered = self._choices[chosen.backup.location]
        dump, loading = remembered.dump, Loading(self._choice, sandbox, connection)
        if self._globals is not None:
            loading.sql(self._globals.newest(), "postgres")
        name = self._database or dump.database or self.name
        if dump.form == "cluster":
            stream = loading.sql(dump, "postgres")
            remembered.promised = {
                database: found
                for database, found in stream.entries.items()
                if database is not None
            }
            name = self._database or _only_database(list(remembered.promised))
            if name not in remembered.promised:
                raise _not_in_the_dump(dump, name, list(remembered.promised))
        elif remembered.contents is not None:
            loading.ensure_superuser()
            loading.archive(dump, remembered.contents, name)
            remembered.promised = {name: list(self._choice.expected(remembered.contents))}
        else:
            loading.ensure_superuser()
            stream = loading.plain(dump, name)
            remembered.promised = {
                name: [entry for entries in stream.entries.values() for entry in entries]
            }
        return name, "; ".join([f"{dump.words} dump, {self._choice.words(dump)}", *loading.words])

    def contents(self, chosen: ChosenBackup, sandbox: Sandbox, connection: Connection) -> Check:  # noqa: ARG002 - protocol
        """Compare what the dump announces with the restored catalogue."""
        remembered = self._choices[chosen.backup.location]
        # Data alone leaves materialized views as the schema made them: pg_restore refreshes none.
        rows = not self._choice.schema_only and not self._choice.data_only
        filled = (
            list(self._choice.expected(remembered.contents)) if remembered.contents and rows else []
        )
        had_rows = set(remembered.contents.filled) if remembered.contents is not None else set()
        origin = (
            f"; the dump was taken of database {remembered.dump.database}"
            if remembered.dump.database
            else ""
        )
        return compare(
            remembered.promised,
            connection,
            filled=[entry for entry in filled if entry in had_rows],
            origin=origin,
        )

    def _paths(self) -> list[Path]:
        """Return what can be meant by `path`, oldest first; checksum files and the like, and globals, are not."""
        aside = (
            {path.resolve() for path in self._globals.matches()}
            if self._globals is not None
            else set()
        )
        found = [
            path for path in globs.matches(self._pattern, "path") if path.resolve() not in aside
        ]
        alone = found[0] if len(found) == 1 else None
        if alone is not None and alone.is_dir() and not globs.is_archive_directory(alone):
            found = [
                path
                for path in globs.matches(f"{self._pattern}/*", "path")
                if path.resolve() not in aside
            ]
        return [path for path in found if globs.may_be_a_dump(path)]

    def _newest(self, paths: list[Path]) -> DumpFile:
        """Return the newest dump. A newest file that is none is a finding: the one before it would be stale.

        Raises:
            BackupNotRestorable: There is none, or it is empty, damaged at its beginning, or no dump at all.
        """
        if not paths:
            raise BackupNotRestorable(
                f"no backup matches {self._pattern}",
                hint="find out why the backup job writes none, or correct `path` in the source.",
            )
        path = paths[-1]
        dump = dump_file.inspect(path)
        if dump is not None and dump.readable:
            return dump
        if path.is_file() and path.stat().st_size == 0:
            problem = f"{path} is empty"
        elif dump is not None:
            problem = f"{path} is cut short or damaged: not even its beginning can be decompressed"
        else:
            problem = f"{path} is not a dump of pg_dump or pg_dumpall, or its beginning is damaged"
        raise BackupNotRestorable(
            problem + (", and it is the newest match" if len(paths) > 1 else ""),
            hint="find out why the backup job wrote it, or narrow `path` in the source to the dumps.",
        )

    def _require_database(self, dump: DumpFile) -> None:
        if (
            dump.database is not None
            and self._database is not None
            and dump.database != self._database
        ):
            raise _not_in_the_dump(dump, self._database, [dump.database])

    def _require_roles(self, dump: DumpFile, contents: toc.Toc) -> None:
        """Name missing roles before an hour of loading, where the table of contents tells."""
        if not self._choice.owners or self._choice.tables or self._choice.data_only:
            return
        given = self._globals.roles() if self._globals is not None else frozenset()
        missing = [role for role in contents.roles if role not in given and role != "postgres"]
        if missing:
            raise messages.roles_missing(str(dump.path), missing)


def _contents(dump: DumpFile, programs: PostgresPrograms) -> toc.Toc:
    """Read an archive's table of contents.

    Raises:
        BackupNotRestorable: It is damaged.
        HarnessError: The programs are too old for it.
    """
    texts = []
    for options in (["--list", "--verbose"], ["--create", "--schema-only", "--file=-"]):
        done = programs.run("pg_restore", *options, str(dump.path), check=False, as_caller=True)
        found = messages.complaints(done.stderr)
        if done.status != 0 or found:
            unknown = messages.Complaint(f"pg_restore ended with status {done.status}")
            raise messages.blame(f"reading the contents of {dump.path}", found or [unknown])
        texts.append(done.stdout)
    return toc.parse(*texts)


def _backup(dump: DumpFile) -> Backup:
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


def _not_checked(dump: DumpFile) -> tuple[str, ...]:
    found = [_LOGICAL]
    found += [_UNNAMED, _ENCODING] if dump.form == "plain" and dump.database is None else []
    found += [_NO_START] if dump.started_at is None else []
    return tuple(found)


def _notes(dump: DumpFile, programs: PostgresPrograms) -> tuple[str, ...]:
    found = [f"the dump was taken of database {dump.database}"] if dump.database else []
    if dump.is_archive and dump.started_at is not None:
        found.append(f"{_ZONE}, {dump.started_at.isoformat()}, is taken")
    if dump.server_major is not None and programs.major != dump.server_major:
        found.append(
            f"taken from PostgreSQL {dump.server_major} and restored under {programs.major}"
        )
    return tuple(found)


def _not_in_the_dump(dump: DumpFile, wanted: str, there: list[str]) -> BackupNotRestorable:
    return BackupNotRestorable(
        f"database {wanted} is not in {dump.path}, which holds {', '.join(there) or 'none'}",
        hint="correct `database` in the source, or the dump job.",
    )


def _only_database(names: list[str]) -> str:
    own = [name for name in names if name not in {"postgres", "template0", "template1"}]
    return own[0] if len(own) == 1 else "postgres"
