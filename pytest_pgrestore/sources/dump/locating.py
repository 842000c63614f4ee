"""The files of a backup before they are loaded: found, decrypted, whole, and possible to load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.sources.dump import facts
from pytest_pgrestore.sources.dump.archive_contents import read_contents
from pytest_pgrestore.sources.dump.decrypting import forget
from pytest_pgrestore.sources.dump.loading.role_file import require_roles
from pytest_pgrestore.sources.dump.part import Part
from pytest_pgrestore.sources.dump.reading import completeness

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.dump.catalogue import DumpPaths, Found
    from pytest_pgrestore.sources.dump.decrypting import Decryption
    from pytest_pgrestore.sources.dump.loading.options import LoadOptions
    from pytest_pgrestore.sources.dump.loading.role_file import RoleFile
    from pytest_pgrestore.sources.dump.reading import toc
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.sources.protocol import LocateRequest

_TABLES = ("TABLE", "FOREIGN TABLE", "MATERIALIZED VIEW", "SEQUENCE")
_ROWS = ("TABLE DATA", "MATERIALIZED VIEW DATA", "SEQUENCE SET")


@dataclass(frozen=True, slots=True)
class Located:
    """The files of a backup.

    Attributes:
        found: The newest dump of each path, in order.
        seconds: Time it took to decrypt them.
    """

    found: list[Found]
    seconds: float

    @property
    def dumps(self) -> list[DumpFile]:
        """The dumps, in order."""
        return [one.dump for one in self.found]


@dataclass(frozen=True, slots=True)
class Locator:
    """Finds the files of a source's newest backup.

    Attributes:
        paths: Where they are, in the order of loading.
        roles: The file of roles; None without one.
        database: Name of the restored database; None is the dump's own.
        options: What of it is loaded.
        decryption: How an encrypted file is read; None without.
    """

    paths: list[DumpPaths]
    roles: RoleFile | None
    database: str | None
    options: LoadOptions
    decryption: Decryption | None

    def find(self, request: LocateRequest) -> Located:
        """Return the newest dump of each path, checked for its end.

        Raises:
            BackupNotRestorable: One is missing, damaged or cut short, or cannot be decrypted.
            HarnessError: One is encrypted, and nothing decrypts it here; roles come twice.
        """
        seconds = 0.0

        def decrypt(path: Path) -> DumpFile:
            nonlocal seconds
            if self.decryption is None or request.scratch is None:
                raise HarnessError(f"{path} is encrypted", hint="set `decrypt` in the source.")
            dump, took = self.decryption.decrypt(path, request.scratch, request.log)
            seconds += took
            return dump

        found: list[Found] = []
        try:
            for paths in self.paths:
                found.append(paths.newest(decrypt if self.decryption is not None else None))
                self._require_one_bringer(found[-1].dump)
                self.options.require_possible(found[-1].dump)
                completeness.require_complete(found[-1].dump)
        except BaseException:
            for one in found:
                forget(one.dump)
            raise
        return Located(found, seconds)

    def _require_one_bringer(self, dump: DumpFile) -> None:
        """Refuse roles from two files: the second one would find them there already."""
        if self.roles is not None and dump.form == "cluster":
            raise HarnessError(
                f"{dump.location} is a dump of a whole cluster and brings its own roles, and"
                " globals names a file of roles too",
                hint="take `globals` out of the source, or let `path` match dumps of one database.",
            )

    def parts(self, dumps: list[DumpFile], programs: PostgresPrograms) -> list[Part]:
        """Return the dumps with the contents of archives, checked that they can be loaded.

        Raises:
            BackupNotRestorable: An archive is damaged, or the database or a role is missing.
            ConfigError: There are rows only, and nothing brings the tables.
            HarnessError: The programs are too old for an archive.
        """
        try:
            for dump in dumps:
                if dump.stored is not None:
                    programs.account.own(dump.path)
            return [self._part(dump, programs, is_alone=len(dumps) == 1) for dump in dumps]
        except BaseException:
            for dump in dumps:
                forget(dump)
            raise

    def _part(self, dump: DumpFile, programs: PostgresPrograms, *, is_alone: bool) -> Part:
        contents, readable = read_contents(dump, programs) if dump.is_archive else (None, True)
        if dump.database is not None and self.database not in {None, dump.database}:
            raise facts.not_in_the_dump(dump, str(self.database), [dump.database])
        brings_tables = self.options.data_only or self.options.schema is not None or not is_alone
        if not brings_tables and (dump.rows_only or _has_rows_only(contents)):
            raise rows_only(dump)
        if contents is not None:
            if is_alone:  # otherwise another file may bring the roles
                require_roles(self.options, self.roles, dump, contents)
            self.options.expected(contents)
        return Part(dump, contents, readable)


def _has_rows_only(contents: toc.Toc | None) -> bool:
    if contents is None or contents.of_type(*_TABLES):
        return False
    return any(line.type in _ROWS for line in contents.listed)


def rows_only(dump: DumpFile) -> ConfigError:
    """Return the error for a dump without definitions, of which nothing else brings the tables."""
    return ConfigError(
        f"{dump.location} holds rows and no tables, as pg_dump --data-only makes it",
        hint='set data_only = true, and schema_file = "..." to a plain dump made with pg_dump'
        " --schema-only.",
    )


def roles_only(dump: DumpFile) -> ConfigError:
    """Return the error for a file of roles in the place of a dump."""
    return ConfigError(
        f"{dump.location} holds roles and no database, as pg_dumpall --globals-only makes it",
        hint="name it in `globals`, and in `path` the dumps of the databases.",
    )
