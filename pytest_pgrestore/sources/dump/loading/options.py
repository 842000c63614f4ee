"""What of a dump is loaded, and how: the settings of a source that concern loading."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sources.dump.loading.blame import Situation
from pytest_pgrestore.sources.dump.loading.limits import LoadLimits
from pytest_pgrestore.sources.dump.loading.tables import choose_tables, entries_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.sources.dump.reading.entries import Entry
    from pytest_pgrestore.sources.dump.reading.toc import Toc

PARALLEL_FORMS = ("custom", "directory")
"""Formats that ``pg_restore --jobs`` supports. Source: PostgreSQL docs, pg_restore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What of a dump is loaded, and how; `DumpSource` documents the settings."""

    jobs: int
    tables: tuple[str, ...] = ()
    schema_only: bool = False
    data_only: bool = False
    schema: Path | None = None
    owners: bool = True
    unmarked: bool = False
    timeout_seconds: float = 3600.0
    limits: LoadLimits = field(default_factory=LoadLimits)
    has_globals: bool = False
    before: Path | None = None
    skip_extensions: tuple[str, ...] = ()

    def situation(self, dump: DumpFile) -> Situation:
        """Return what decides whose fault an error is while `dump` is loaded."""
        return Situation(
            whole=self.has_globals or dump.form == "cluster",
            prelude=self.before is not None or bool(self.skip_extensions),
        )

    def require_possible(self, dump: DumpFile) -> None:
        """Refuse settings that have no effect on this form of dump.

        Loading everything instead would be another drill than the one the user wants.

        Raises:
            ConfigError: A setting needs another form of dump.
        """
        given = {"tables": bool(self.tables), "schema_only": self.schema_only}
        if dump.form == "cluster":
            given |= {"data_only": self.data_only, "owners = false": not self.owners}
        wrong = [name for name, is_given in given.items() if is_given]
        if wrong and not dump.is_archive:
            raise ConfigError(
                f"{dump.path.name} is plain SQL, which is loaded as a whole:"
                f" {', '.join(wrong)} cannot be honoured",
                hint="take the dump in custom or directory format, or remove the setting.",
            )

    def words(self, dump: DumpFile) -> str:
        """Return how the dump is loaded, in words."""
        tool = f"pg_restore --jobs {self.jobs}" if dump.form in PARALLEL_FORMS else "pg_restore"
        found = [tool if dump.is_archive else "psql"]
        if self.tables:
            found.append(f"tables {', '.join(self.tables)}")
        if self.schema_only:
            found.append("schema only")
        if self.data_only:
            found.append("data only")
        if not self.owners:
            found.append("without owners and privileges")
        return ", ".join(found)

    def expected(self, contents: Toc) -> tuple[Entry, ...]:
        """Return the entries that must exist after the restore.

        Raises:
            BackupNotRestorable: The dump does not contain one of the tables.
        """
        if self.tables:
            return entries_of(contents, choose_tables(contents, self.tables))
        return self.not_skipped(contents.filled if self.data_only else contents.entries)

    def wanted(self, extensions: Iterable[str]) -> tuple[str, ...]:
        """Return the extensions that are not left out."""
        return tuple(name for name in extensions if name not in self.skip_extensions)

    def not_skipped(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        """Return the entries without the extensions that are left out."""
        return tuple(
            entry
            for entry in entries
            if entry.type != "EXTENSION" or entry.name not in self.skip_extensions
        )
