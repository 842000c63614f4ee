"""From the table of a source in the settings file to the source.

Each tool's source is imported when a table of its type is made a source, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sources.barman.table import BarmanTable
from pytest_pgrestore.sources.basebackup.table import BasebackupTable
from pytest_pgrestore.sources.command.table import CommandTable
from pytest_pgrestore.sources.dump.table import DumpTable
from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable
from pytest_pgrestore.sources.walg.table import WalgTable

if TYPE_CHECKING:
    from pytest_pgrestore.settings.source_tables import SourceTable
    from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource


SOURCE_TABLES: dict[str, type[SourceTable]] = {
    "dump": DumpTable,
    "basebackup": BasebackupTable,
    "pgbackrest": PgbackrestTable,
    "walg": WalgTable,
    "command": CommandTable,
    "barman": BarmanTable,
}
"""Name of each type of source to its table."""

TYPES = tuple(SOURCE_TABLES)
"""Names of all types."""


def make_source(
    name: str, table: SourceTable, timeout_seconds: float
) -> LogicalSource | PhysicalSource:
    """Return the source that `table` describes.

    Args:
        name: The user's name for the source.
        table: Its table of the settings file.
        timeout_seconds: Deadline of one tool, and of waiting for another drill.

    Raises:
        ConfigError: The table is of no type of ours, or its commands are wrong.
    """
    match table:
        case DumpTable():
            return _dump(name, table, timeout_seconds)
        case BasebackupTable():
            return _basebackup(name, table, timeout_seconds)
        case PgbackrestTable():
            from pytest_pgrestore.sources.pgbackrest.source import PgbackrestSource

            return PgbackrestSource(name, table, timeout_seconds)
        case CommandTable():
            from pytest_pgrestore.sources.command.source import CommandSource

            return CommandSource(name, table)
        case WalgTable():
            from pytest_pgrestore.sources.walg.source import WalgSource

            return WalgSource(name, table)
        case BarmanTable():
            return _barman(name, table)
    raise ConfigError(
        f"source {name} has the unknown type {table.type!r}",
        hint="write dump, basebackup, pgbackrest, barman, walg or command.",
    )


def _dump(name: str, table: DumpTable, timeout_seconds: float) -> LogicalSource:
    from pytest_pgrestore.sources.dump.loading.limits import MEBIBYTE, LoadLimits
    from pytest_pgrestore.sources.dump.source import DumpSource

    return DumpSource(
        name,
        table.path,
        globals_path=table.globals,
        database=table.database,
        jobs=table.jobs,
        tables=tuple(table.tables),
        schema_only=table.schema_only,
        data_only=table.data_only,
        schema=table.schema_file,
        owners=table.owners,
        before=table.before,
        skip_extensions=tuple(table.skip_extensions),
        taken_at=table.taken_at,
        complete=table.complete,
        decrypt=table.decrypt,
        secrets=table.secrets,
        limits=LoadLimits(
            statement_bytes=table.max_statement_mb * MEBIBYTE,
            objects=table.max_objects,
            kept_free_bytes=table.keep_free_mb * MEBIBYTE,
        ),
        timeout_seconds=timeout_seconds,
    )


def _basebackup(name: str, table: BasebackupTable, timeout_seconds: float) -> PhysicalSource:
    from pytest_pgrestore.sources.basebackup.source import BasebackupSource

    return BasebackupSource(
        name,
        table.path,
        wal=table.wal,
        backup=table.backup,
        verify=table.verify,
        linked_paths=tuple(table.linked_paths),
        max_files=table.max_files,
        timeout_seconds=timeout_seconds,
    )


def _barman(name: str, table: BarmanTable) -> PhysicalSource:
    """Return the source of a Barman home, or of an object store if the table has a URL."""
    if table.url is None:
        from pytest_pgrestore.sources.barman.source import BarmanSource

        return BarmanSource(name, table)
    from pytest_pgrestore.sources.barman.cloud.source import BarmanCloudSource

    return BarmanCloudSource(name, table)
