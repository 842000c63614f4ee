"""Source `dump`: what pg_dump and pg_dumpall wrote, in every format, loaded into an empty cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.sources import dumpfile, globs, toc
from pytest_pgrestore.sources.complaints import blame, missing_roles
from pytest_pgrestore.sources.dumpcontents import compare
from pytest_pgrestore.sources.loading import Loader
from pytest_pgrestore.sources.protocol import Located
from pytest_pgrestore.sources.rolefile import RoleFile
from pytest_pgrestore.sources.selection import no_backup

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, Tools
    from pytest_pgrestore.sources.dumpfile import DumpFile
    from pytest_pgrestore.sources.protocol import Connection, Request

GROWTH = 4
"""How much larger than its dump a database is taken to be: compression, and indexes that are built anew."""

_LOGICAL = "The files of the database: a dump carries no checksums of them, and statistics may differ."
_UNNAMED = "Whether the dump is of the right database: a plain dump made without --create does not name it."
_NO_CONTENTS = "That every table, index and constraint came back: a text dump has no table of contents to compare with."


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What `locate` found out, kept for the later steps of the same restore."""

    dump: DumpFile
    contents: toc.Contents | None
    major: int


class DumpSource:
    """Implements `sources.protocol.LogicalSource` for pg_dump and pg_dumpall.

    Args:
        name: The user's name for it.
        path: File, directory of the directory format, or a glob; the newest that is a dump is taken.
        globals_path: Output of ``pg_dumpall --globals-only``, loaded first.
        database: Name to restore under, and to be told by the dump; of a pg_dumpall, where fixtures connect.
        jobs: Parallel jobs of pg_restore; None is one for each core.
        tables: Only these tables, with their data; no indexes, as pg_restore does.
        schema_only: No data.
        data_only: No schema: `schema` has to bring it.
        schema: A plain dump made with --schema-only, loaded before a data-only one.
        owners: Whether to restore owners and privileges.
        timeout_seconds: Deadline of one tool.
    """

    type = "dump"

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
        self.name = name
        self._pattern = path
        self._globals = RoleFile(Path(globals_path)) if globals_path is not None else None
        self._database = database
        self._loader = Loader(
            jobs=jobs or os.cpu_count() or 1,
            tables=tables,
            schema_only=schema_only,
            data_only=data_only,
            schema=Path(schema) if schema is not None else None,
            owners=owners,
            timeout_seconds=timeout_seconds,
        )
        self._chosen: dict[str, _Chosen] = {}
        if data_only and schema is None:
            raise ConfigError(
                f"source {name} restores data only, and nothing brings the tables",
                hint='add schema_file = "..." with a plain dump made by pg_dump --schema-only, or drop data_only.',
            )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return ("contents",)

    def backups(self) -> list[Backup]:
        """Return the dumps there are, oldest first."""
        return [_backup(dump, None, dumpfile.majors(dump.head)[0]) for dump in self._dumps()]

    def locate(self, request: Request) -> Located:
        """Choose the newest dump, and see that it is whole as far as that can be seen without loading it."""
        if not isinstance(request.target, Latest):
            raise ConfigError(
                f"source {self.name} is a dump and cannot be recovered to {request.target}",
                hint="a dump holds one moment: use target latest, or a base backup with a WAL archive.",
            )
        dumps = self._dumps()
        if not dumps:
            raise no_backup(self._pattern)
        dump = dumps[-1]
        dumpfile.require_whole(dump)
        contents = None if dump.text else _list(dump, request.find_tools(None))
        origin, tool = dumpfile.majors(contents.text if contents else dump.head)
        major = max(origin or 0, tool or 0)
        if not major:
            raise BackupNotRestorable(
                f"{dump.path} does not tell which server it is from", hint="it was edited or is not a pg_dump's output."
            )
        self._require_database(dump, contents)
        self._require_roles(contents)
        self._chosen[dump.path.name] = _Chosen(dump, contents, major)
        return Located(
            backup=_backup(dump, contents, origin),
            selection=f"the newest of {len(dumps)}" if len(dumps) > 1 else "the only one",
            server_major=major,
            needed_bytes=dump.size_bytes() * GROWTH,
            not_checked=_not_checked(dump, contents),
            notes=_notes(dump, contents, origin, tool),
        )

    def load(self, located: Located, sandbox: Sandbox, connection: Connection) -> tuple[str, str]:
        """Load roles, then the dump; return the database it went into, and words for the phase."""
        chosen = self._chosen[located.backup.label]
        given = self._globals.load(sandbox, connection, self._loader) if self._globals is not None else frozenset()
        if chosen.dump.form != "cluster":
            self._loader.ensure_role("postgres", given, connection)
        name = self._database or located.backup.database or chosen.dump.creates or self.name
        if chosen.dump.form == "cluster":
            self._loader.load_cluster(chosen.dump, sandbox, connection)
            name = self._database or _only_database(connection)
        elif chosen.dump.text:
            self._loader.load_plain(chosen.dump, name, sandbox, connection)
        else:
            self._loader.load_archive(chosen.dump, chosen.contents, name, sandbox, connection)
        return name, f"{chosen.dump.described()} dump, {self._loader.described(chosen.dump)}"

    def contents(self, located: Located, sandbox: Sandbox, connection: Connection) -> Check:  # noqa: ARG002 - protocol
        """Compare the dump's table of contents with the restored catalogue."""
        contents = self._chosen[located.backup.label].contents
        return compare(contents, connection, self._loader.wants)

    def _dumps(self) -> list[DumpFile]:
        """Return what the path or glob matches and is a dump, oldest first."""
        found = []
        for path in globs.matches(self._pattern, "path"):
            if path.is_file() and path.stat().st_size == 0:
                raise BackupNotRestorable(
                    f"{path} is empty", hint="find out why pg_dump wrote nothing; psql would end well on it."
                )
            dump = dumpfile.sniff(path)
            if dump is not None:
                found.append(dump)
        return found

    def _require_database(self, dump: DumpFile, contents: toc.Contents | None) -> None:
        named = contents.database if contents else dump.creates
        if self._database is not None and named is not None and named != self._database:
            raise BackupNotRestorable(
                f"{dump.path.name} is a dump of database {named!r}, not of {self._database!r}",
                hint="correct the dump job, or `database` in the source.",
            )

    def _require_roles(self, contents: toc.Contents | None) -> None:
        """Name missing roles before an hour of loading, where the table of contents tells."""
        if contents is None or not self._loader.owners:
            return
        given = self._globals.roles() if self._globals is not None else frozenset()
        missing = contents.owners() - given - {"postgres"}
        if missing:
            raise missing_roles(sorted(missing))


def _list(dump: DumpFile, tools: Tools) -> toc.Contents:
    if dump.codec != "none":
        raise HarnessError(
            f"{dump.path} is a {dump.form} archive inside {dump.codec}",
            hint="unpack it: pg_restore reads its own compression, and only from a file.",
        )
    done = tools.run("pg_restore", "--list", str(dump.path), check=False, as_caller=True)
    error = blame("pg_restore", done.status, done.stderr)
    if error is not None:
        raise error
    return toc.parse(done.stdout)


def _backup(dump: DumpFile, contents: toc.Contents | None, major: int | None) -> Backup:
    return Backup(
        label=dump.path.name,
        location=dump.path,
        form=dump.described(),
        kind="logical",
        server_major=major,
        started_at=contents.created_at if contents else dumpfile.started_at(dump.head),
        stopped_at=datetime.fromtimestamp(globs.modified(dump.path), UTC),
        database=contents.database if contents else dump.creates,
        size_bytes=dump.size_bytes(),
    )


def _not_checked(dump: DumpFile, contents: toc.Contents | None) -> tuple[str, ...]:
    found = [_LOGICAL]
    found += [_UNNAMED] if dump.form == "plain" and dump.creates is None else []
    found += [_NO_CONTENTS] if contents is None else []
    return tuple(found)


def _notes(dump: DumpFile, contents: toc.Contents | None, origin: int | None, tool: int | None) -> tuple[str, ...]:
    named = contents.database if contents else dump.creates
    found = [f"the dump names its database: {named}"] if named else []
    if origin and tool and tool > origin:
        found.append(f"taken from PostgreSQL {origin} by pg_dump {tool}, and restored under {tool}")
    return tuple(found)


def _only_database(connection: Connection) -> str:
    import psycopg

    query = "select datname from pg_database where not datistemplate and datname <> 'postgres' order by 1"
    with psycopg.connect(connection.conninfo(), autocommit=True) as session:
        names = [str(row[0]) for row in session.execute(query).fetchall()]
    return names[0] if len(names) == 1 else "postgres"
