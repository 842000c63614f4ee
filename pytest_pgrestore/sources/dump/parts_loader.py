"""Loads the files of one backup in their order, and notes what each of them promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump import facts
from pytest_pgrestore.sources.dump.locating import roles_only
from pytest_pgrestore.sources.dump.part import Part, Promise
from pytest_pgrestore.sources.dump.reading import data_files

if TYPE_CHECKING:
    from pytest_pgrestore.sources.dump.loading.load import Loading
    from pytest_pgrestore.sources.dump.loading.options import LoadOptions
_NO_ROWS = (
    "Whether rows are missing: the backup has tables and rows of none, as pg_dump --schema-only"
    " makes it."
)


@dataclass(frozen=True, slots=True)
class PartsLoader:
    """Loads files into one server.

    Attributes:
        loading: Runs psql and pg_restore.
        options: What of a dump is loaded.
        database: Name of the restored database; None is the dump's own.
        source: Name of the source: the database's name if nothing else names it.
        not_checked: After loading: what was not proved, one sentence each.
        seen: After loading: which of ``tables`` and ``rows`` the files have.
    """

    loading: Loading
    options: LoadOptions
    database: str | None
    source: str
    not_checked: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def load(self, parts: list[Part]) -> str:
        """Load the parts in their order; return the database in which assertions run.

        The first part with a database makes it; the next ones are loaded into it.

        Raises:
            BackupNotRestorable: A tool reported an error, or a dump is cut short.
            HarnessError: The sandbox lacks something a dump needs.
            ConfigError: There is no database in the only file.
        """
        name, made = named(parts, self.database, self.source), False
        if self.options.before is not None and _roles_come_first(parts):
            self.loading.make_for_before(name)
            made = True
        for part in parts:
            if part.dump.form != "cluster":
                self.loading.ensure_superuser()
                part.promises = [self._load_one(part, name, make=not made)]
                made = True
            elif self._load_cluster(part):
                name, made = self._cluster_database(part), True
            elif len(parts) == 1:
                raise roles_only(part.dump)
        if self.seen == {"tables"} and not self.options.schema_only:
            self.not_checked.append(_NO_ROWS)
        return name

    def _note(self, *, tables: bool, rows: bool) -> None:
        """Note whether a file has tables, and rows."""
        self.seen.update({"tables"} if tables else ())
        self.seen.update({"rows"} if rows else ())

    def _load_cluster(self, part: Part) -> bool:
        """Load a dump of pg_dumpall; return whether it has databases."""
        self.loading.run_before_cluster()
        stream = self.loading.sql(part.dump, "postgres")
        self._note(tables=stream.has_tables, rows=stream.has_rows)
        part.databases = stream.databases
        # Entries before the first \\connect belong to no database.
        part.promises = [
            Promise(
                database,
                self.options.not_skipped(found),
                stream.encodings.get(database),
                part.dump.names_parents,
            )
            for database, found in stream.entries.items()
            if database is not None
        ]
        return bool(stream.databases)

    def _cluster_database(self, part: Part) -> str:
        """Return the database of a pg_dumpall in which assertions run."""
        existing = list(dict.fromkeys(part.databases))
        name = self.database or facts.only_database(existing)
        if name not in existing:
            raise facts.not_in_the_dump(part.dump, name, existing)
        return name

    def _load_one(self, part: Part, name: str, *, make: bool) -> Promise:
        """Load a dump of one database into database `name`; return what it promises."""
        dump, contents = part.dump, part.contents
        if contents is not None:
            if not self.options.schema_only:
                self.not_checked.extend(data_files.require_whole(dump))
            self.loading.archive(dump, contents, name, readable=part.readable, make=make)
            rows = any(line.type == "TABLE DATA" for line in contents.listed)
            self._note(tables=bool(contents.of_type("TABLE")), rows=rows)
            entries = list(self.options.expected(contents))
            return Promise(name, entries, contents.encoding, dump.names_parents)
        stream = self.loading.plain(dump, name, make=make)
        self._note(tables=stream.has_tables, rows=stream.has_rows)
        found = [entry for entries in stream.entries.values() for entry in entries]
        entries = list(self.options.not_skipped(found))
        encoding = next(iter(stream.encodings.values()), None)
        return Promise(name, entries, encoding, dump.names_parents)


def _roles_come_first(parts: list[Part]) -> bool:
    """Return whether a file of roles is in front of dumps that make no database themselves."""
    others = [part.dump for part in parts if part.dump.form != "cluster"]
    is_first = parts[0].dump.form == "cluster"
    return is_first and bool(others) and all(dump.database is None for dump in others)


def named(parts: list[Part], database: str | None, source: str) -> str:
    """Return the database that the first dump of one database is loaded into."""
    own = next((part.dump.database for part in parts if part.dump.database), None)
    return database or own or source


def loaded_into(parts: list[Part], database: str | None, source: str) -> str | None:
    """Return the database that all parts are loaded into; None if they make several."""
    if any(part.dump.form == "cluster" for part in parts):
        return None
    return named(parts, database, source)
