"""What a plugin may add: types of sources and kinds of sandboxes, ours among them. Imports pydantic.

The protocols to implement are `sources.protocol.PhysicalSource`, `sources.protocol.LogicalSource` and
`sandboxes.protocol.Run` with what that gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sources.registry import make_source
from pytest_pgrestore.sourcetables import SOURCE_TABLES, SourceTable

if TYPE_CHECKING:
    import pytest

    from pytest_pgrestore.runsettings import RunSettings
    from pytest_pgrestore.sandboxes.protocol import Run
    from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource

__all__ = ["Runtime", "SourceTable", "SourceType", "runtimes", "source_types"]


@dataclass(frozen=True, slots=True)
class SourceType:
    """A type of source.

    Attributes:
        table: Its keys in the settings file: a subclass of `SourceTable` with ``type: Literal["..."]``.
        make: From the source's name, its table and the deadline of one tool in seconds to the source.
    """

    table: type[SourceTable]
    make: Callable[[str, Any, float], LogicalSource | PhysicalSource]


@dataclass(frozen=True, slots=True)
class Runtime:
    """A kind of sandbox.

    Attributes:
        enter: From the run's settings, its name and its directory (None: to be made) to the run.
    """

    enter: Callable[[RunSettings, str, Path | None], Run]


def source_types(config: pytest.Config) -> dict[str, SourceType]:
    """Return every type of source this pytest knows."""
    found = {kind: SourceType(table, partial(_ours, kind)) for kind, table in SOURCE_TABLES.items()}
    for added in config.hook.pytest_pgrestore_source_types():
        found.update(added)
    return found


def runtimes(config: pytest.Config) -> dict[str, Runtime]:
    """Return every kind of sandbox this pytest knows."""
    found = {"docker": Runtime(_docker), "local": Runtime(_local)}
    for added in config.hook.pytest_pgrestore_runtimes():
        found.update(added)
    return found


def _ours(kind: str, name: str, table: Mapping[str, Any], timeout_seconds: float) -> LogicalSource | PhysicalSource:
    return make_source(name, kind, dict(table), timeout_seconds)


def _docker(settings: RunSettings, run_id: str, root: Path | None) -> Run:
    from pytest_pgrestore.sandboxes.docker.run import DockerRun

    docker = settings.docker()
    return DockerRun.open(docker, run_id) if root is None else DockerRun.join(docker, root)


def _local(settings: RunSettings, run_id: str, root: Path | None) -> Run:
    from pytest_pgrestore.sandboxes.run import LocalRun

    local = settings.local()
    return LocalRun.open(local, run_id) if root is None else LocalRun.join(local, root)
