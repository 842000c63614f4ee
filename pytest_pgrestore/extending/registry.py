"""Every type of source and of sandbox: ours, and those that plugins add.

Imports pydantic; therefore imported inside functions only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.settings.run_settings import KnownKinds
from pytest_pgrestore.settings.source_tables import SourceTable
from pytest_pgrestore.sources.registry import SOURCE_TABLES, make_source

if TYPE_CHECKING:
    import pytest

    from pytest_pgrestore.sandboxes.protocol import Run
    from pytest_pgrestore.sandboxes.settings import DockerSettings, LocalSettings
    from pytest_pgrestore.settings.run_settings import RunSettings
    from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource


@dataclass(frozen=True, slots=True)
class SourceType:
    """A type of source.

    Attributes:
        table: Its keys in the settings file. A subclass of `SourceTable` with a key
            ``type: Literal["..."]``.
        make: Called with the name of a source, its table and the deadline of one tool in seconds.
            Returns the source.
    """

    table: type[SourceTable]
    make: Callable[[str, Any, float], LogicalSource | PhysicalSource]


@dataclass(frozen=True, slots=True)
class Runtime:
    """A type of sandbox.

    Attributes:
        enter: Called with the settings of a run, its name, and its directory. Returns the run. The
            directory is None in the process that makes it; the others join it.
    """

    enter: Callable[[RunSettings, str, Path | None], Run]


def source_types(config: pytest.Config) -> dict[str, SourceType]:
    """Return every type of source by name. A plugin's type replaces ours of the same name."""
    found = {kind: SourceType(table, make_source) for kind, table in SOURCE_TABLES.items()}
    for added in config.hook.pytest_pgrestore_source_types():
        found.update(added)
    return found


def runtimes(config: pytest.Config) -> dict[str, Runtime]:
    """Return every type of sandbox by name. A plugin's type replaces ours of the same name."""
    found = {"docker": Runtime(_docker), "local": Runtime(_local)}
    for added in config.hook.pytest_pgrestore_runtimes():
        found.update(added)
    return found


def known_kinds(config: pytest.Config) -> KnownKinds:
    """Return the types of sources and sandboxes that a settings file may name."""
    tables = {kind: added.table for kind, added in source_types(config).items()}
    return KnownKinds(tables, tuple(runtimes(config)))


def _docker(settings: RunSettings, run_id: str, root: Path | None) -> Run:
    from pytest_pgrestore.sandboxes.docker.run import DockerRun

    docker = docker_settings(settings)
    return DockerRun.open(docker, run_id) if root is None else DockerRun.join(docker, root)


def _local(settings: RunSettings, run_id: str, root: Path | None) -> Run:
    from pytest_pgrestore.sandboxes.local.run import LocalRun

    local = local_settings(settings)
    return LocalRun.open(local, run_id) if root is None else LocalRun.join(local, root)


def docker_settings(settings: RunSettings) -> DockerSettings:
    """Return how the docker sandbox is set up."""
    from pytest_pgrestore.sandboxes.settings import DockerSettings

    return DockerSettings.from_table(dict(settings.file.sandbox), **_from_all_places(settings))


def local_settings(settings: RunSettings) -> LocalSettings:
    """Return how the local sandbox is set up."""
    from pytest_pgrestore.sandboxes.settings import LocalSettings

    return LocalSettings.from_table(dict(settings.file.sandbox), **_from_all_places(settings))


def _from_all_places(settings: RunSettings) -> dict[str, Any]:
    """Return the settings of a sandbox that flags, environment and ini can set too."""
    table, explicit = settings.file.sandbox, settings.given
    bindir = explicit.or_default("bindir", table.bindir)
    directory = explicit.or_default("sandbox_directory", table.directory)
    max_lifetime = explicit.or_default("max_lifetime", table.max_lifetime)
    return {
        "bindir": None if bindir is None else Path(bindir),
        "directory": None if directory is None else Path(directory),
        "timeout_seconds": settings.timeout_seconds,
        "max_lifetime_seconds": max_lifetime.total_seconds(),
        "image": explicit.or_default("image", table.image),
        "base_image": explicit.or_default("base_image", table.base_image) or None,
        "storage": explicit.or_default("storage", table.storage),
        "confine": explicit.or_default("confine", table.confine),
    }
