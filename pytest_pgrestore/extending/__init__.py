"""What a plugin may add: types of sources and kinds of sandboxes. Public names only, each loaded when it is asked for.

The protocols to implement are `sources.protocol.PhysicalSource`, `sources.protocol.LogicalSource` and
`sandboxes.protocol.Run` with what that gives.
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

_HOMES = {
    "Runtime": "pytest_pgrestore.extending.registry",
    "SourceTable": "pytest_pgrestore.settings.source_tables",
    "SourceType": "pytest_pgrestore.extending.registry",
    "docker_settings": "pytest_pgrestore.extending.registry",
    "local_settings": "pytest_pgrestore.extending.registry",
}

__all__ = ["Runtime", "SourceTable", "SourceType", "docker_settings", "local_settings"]


def __getattr__(name: str) -> Any:
    """Load a public name on first use: the hooks' specification lies here, and every pytest run imports that."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
