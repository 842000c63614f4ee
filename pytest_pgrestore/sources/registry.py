"""From a type of source and its settings to the source. Imports one tool's module at a time, when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sources.barman.table import BarmanTable
from pytest_pgrestore.sources.basebackup.table import BasebackupTable
from pytest_pgrestore.sources.command.table import CommandTable
from pytest_pgrestore.sources.dump.table import DumpTable
from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable
from pytest_pgrestore.sources.walg.table import WalgTable

if TYPE_CHECKING:
    from collections.abc import Mapping

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
"""Types of sources by name."""

TYPES = ("dump", "basebackup", "pgbackrest", "barman", "walg", "command")


def make_source(
    name: str, kind: str, settings: Mapping[str, Any], timeout_seconds: float
) -> LogicalSource | PhysicalSource:
    """Return the source of type `kind` that `settings`, a table of the settings file, describe.

    Raises:
        ConfigError: There is no such type.
    """
    match kind:
        case "dump":
            return _dump(name, settings, timeout_seconds)
        case "basebackup":
            return _basebackup(name, settings, timeout_seconds)
        case "pgbackrest":
            return _pgbackrest(name, settings, timeout_seconds)
        case "command":
            return _command(name, settings)
        case "walg":
            return _walg(name, settings)
        case "barman":
            return _barman(name, settings)
    raise ConfigError(
        f"source {name} has the unknown type {kind!r}",
        hint="write dump, basebackup, pgbackrest, barman, walg or command.",
    )


def _dump(name: str, settings: Mapping[str, Any], timeout_seconds: float) -> LogicalSource:
    from pytest_pgrestore.sources.dump.source import DumpSource

    return DumpSource(
        name,
        settings["path"],
        globals_path=settings["globals"],
        database=settings["database"],
        jobs=settings["jobs"],
        tables=tuple(settings["tables"]),
        schema_only=settings["schema_only"],
        data_only=settings["data_only"],
        schema=settings["schema_file"],
        owners=settings["owners"],
        timeout_seconds=timeout_seconds,
    )


def _basebackup(name: str, settings: Mapping[str, Any], timeout_seconds: float) -> PhysicalSource:
    from pytest_pgrestore.sources.basebackup.source import BasebackupSource

    return BasebackupSource(
        name,
        settings["path"],
        wal=settings["wal"],
        verify=settings["verify"],
        timeout_seconds=timeout_seconds,
    )


def _pgbackrest(name: str, settings: Mapping[str, Any], timeout_seconds: float) -> PhysicalSource:
    from pytest_pgrestore.sources.pgbackrest.source import PgbackrestSettings, PgbackrestSource

    told = PgbackrestSettings(
        **{key: settings[key] for key in ("stanza", "repo", "process_max", "verify")},
        **_tool_settings(settings, "pgbackrest"),
        delta=None if settings["delta"] is None else Path(settings["delta"]),
    )
    return PgbackrestSource(name, told, timeout_seconds)


def _command(name: str, settings: Mapping[str, Any]) -> PhysicalSource:
    from pytest_pgrestore.sources.command.source import CommandSettings, CommandSource

    own = {
        key: settings[key]
        for key in ("list", "fetch", "wal_fetch", "wal_list", "verify", "backup", "env", "secrets")
    }
    told = CommandSettings(
        **own,
        read_paths=[Path(path) for path in settings["read_paths"]],
        on_host=settings["tool_location"] == "host",
        network=bool(settings["network"]),
    )
    return CommandSource(name, told)


def _walg(name: str, settings: Mapping[str, Any]) -> PhysicalSource:
    from pytest_pgrestore.sources.walg.source import WalgSettings, WalgSource

    told = WalgSettings(verify=settings["verify"], **_tool_settings(settings, "wal-g"))
    return WalgSource(name, told)


def _barman(name: str, settings: Mapping[str, Any]) -> PhysicalSource:
    from pytest_pgrestore.sources.barman.own_config import BarmanSettings

    keys = ("server", "url", "endpoint_url", "cloud_provider", "get_wal", "jobs", "verify", "check")
    own = {key: settings[key] for key in keys}
    read = BarmanSettings(**own, **_tool_settings(settings, "barman"))
    if read.url is None:
        from pytest_pgrestore.sources.barman.source import BarmanSource

        return BarmanSource(name, read)
    from pytest_pgrestore.sources.barman.cloud.source import BarmanCloudSource

    return BarmanCloudSource(name, read)


def _tool_settings(settings: Mapping[str, Any], program: str) -> dict[str, Any]:
    """Return what every source of a backup tool is told, by the names its settings have."""
    return {
        "config": None if settings["config"] is None else Path(settings["config"]),
        "backup": settings["backup"],
        "program": settings["program"] or program,
        "on_host": settings["tool_location"] == "host",
        "env": settings["env"],
        "secrets": settings["secrets"],
        "network": settings["network"],
    }
