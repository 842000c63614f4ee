"""For plugins that add types of sources or sandboxes: public names only.

Each one is loaded on first use: the specification of our hooks is in this package, and every
pytest run of our users imports that. docs/extending.md has examples.

A source implements `sources.protocol.PhysicalSource` or `sources.protocol.LogicalSource`. A type of
sandbox implements `sandboxes.protocol.Run`, and the `Sandbox` and `PostgresPrograms` it returns.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_pgrestore.extending.registry import Runtime as Runtime
    from pytest_pgrestore.extending.registry import SourceType as SourceType
    from pytest_pgrestore.extending.registry import docker_settings as docker_settings
    from pytest_pgrestore.extending.registry import local_settings as local_settings
    from pytest_pgrestore.settings.source_tables import SourceTable as SourceTable

# Repeats the imports above: those are for type checkers, which do not run `__getattr__`.
_HOMES = {
    "Runtime": "pytest_pgrestore.extending.registry",
    "SourceTable": "pytest_pgrestore.settings.source_tables",
    "SourceType": "pytest_pgrestore.extending.registry",
    "docker_settings": "pytest_pgrestore.extending.registry",
    "local_settings": "pytest_pgrestore.extending.registry",
}

__all__ = ["Runtime", "SourceTable", "SourceType", "docker_settings", "local_settings"]


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
