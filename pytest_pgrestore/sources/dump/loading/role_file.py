"""A file of ``pg_dumpall --globals-only``: roles and tablespaces, loaded before the dump."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.sources.dump.loading.blame import roles_missing
from pytest_pgrestore.sources.dump.loading.psql.lexer import PsqlLexer
from pytest_pgrestore.sources.dump.reading import completeness, dump_file, foreign, globs, toc

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.dump.loading.options import LoadOptions
    from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_ROLE = re.compile(rb'CREATE ROLE ("(?:[^"]|"")++"|[^\s;]++);')


def require_only_roles(loaded: SqlStream) -> None:
    """Refuse a file of roles that brought databases, too: the dump would find its own there.

    Raises:
        HarnessError: It did.
    """
    databases = [name for name in loaded.entries if name is not None]
    if databases:
        raise HarnessError(
            f"globals names a dump of a whole cluster: it holds {', '.join(databases[:3])}, too",
            hint="name the output of pg_dumpall --globals-only there; or name this file in `path`,"
            " without globals.",
        )


class RoleFile:
    """The file of the setting `globals`, or the newest match of a glob."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def matches(self) -> list[Path]:
        """Return every file that matches the setting, oldest first."""
        return globs.matches(self._pattern, "globals")

    def newest(self) -> DumpFile:
        """Return the file to load.

        Raises:
            BackupNotRestorable: There is no file, or it is empty or cut short.
            ConfigError: The file is a dump of a database.
            HarnessError: It is encrypted.
        """
        found = self.matches()
        if not found:
            raise BackupNotRestorable(
                f"no globals file matches {self._pattern}",
                hint="find out why the backup job writes none, or correct `globals` in the source.",
            )
        dump = dump_file.inspect(found[-1])
        if dump is None:
            if foreign.encryption_of(found[-1]) is not None:
                raise HarnessError(
                    f"globals names {found[-1]}, which is encrypted",
                    hint="name it as the first file in `path`, which `decrypt` reads: path ="
                    ' ["globals.sql.gpg", "shop.dump.gpg"].',
                )
            raise BackupNotRestorable(
                f"{found[-1]} is empty or not the output of pg_dumpall",
                hint="find out why pg_dumpall --globals-only wrote none, or correct `globals` in"
                " the source.",
            )
        if dump.form != "cluster":
            raise ConfigError(
                f"globals names {dump.path}, which is a {dump.form} dump of a database",
                hint="name the output of pg_dumpall --globals-only.",
            )
        completeness.require_complete(dump)
        return dump

    def roles(self) -> frozenset[str]:
        """Return the roles that the file creates."""
        dump = self.newest()
        found = set()
        for pieces in PsqlLexer(dump.path.name).pieces(dump_file.chunks(dump)):
            for piece in pieces:
                match = _ROLE.fullmatch(piece.text) if piece.kind == "statement" else None
                if match is not None:
                    found.add(toc.unquoted(match[1].decode("utf-8", errors="replace")))
        return frozenset(found)


def require_roles(
    options: LoadOptions, globals_file: RoleFile | None, dump: DumpFile, contents: toc.Toc
) -> None:
    """Refuse an archive that needs roles nothing makes, before it is loaded.

    Raises:
        HarnessError: Roles are missing, and no `globals` was to bring them.
        BackupNotRestorable: The file of `globals` lacks them.
    """
    if not options.owners or options.tables or options.data_only or options.before is not None:
        return
    given = globals_file.roles() if globals_file is not None else frozenset()
    missing = [role for role in contents.roles if role not in given and role != "postgres"]
    if missing:
        raise roles_missing(str(dump.location), missing, whole=globals_file is not None)
