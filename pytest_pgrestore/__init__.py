"""pytest-pgrestore: prove that PostgreSQL backups restore.

Public names only. Each one is loaded on first use: every pytest run of our users imports this.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.version import __version__ as __version__

if TYPE_CHECKING:
    from pytest_pgrestore.model.errors import BackupNotRestorable as BackupNotRestorable
    from pytest_pgrestore.model.errors import ConfigError as ConfigError
    from pytest_pgrestore.model.errors import HarnessError as HarnessError
    from pytest_pgrestore.model.errors import PgRestoreError as PgRestoreError
    from pytest_pgrestore.model.errors import TargetUnreachable as TargetUnreachable
    from pytest_pgrestore.model.verdict import Verdict as Verdict
    from pytest_pgrestore.restore.instance import RestoredInstance as RestoredInstance
    from pytest_pgrestore.session.factory import Factory as Factory

# Repeats the imports above: those are for type checkers, which do not run `__getattr__`.
_HOMES = {
    "BackupNotRestorable": "pytest_pgrestore.model.errors",
    "ConfigError": "pytest_pgrestore.model.errors",
    "Factory": "pytest_pgrestore.session.factory",
    "HarnessError": "pytest_pgrestore.model.errors",
    "PgRestoreError": "pytest_pgrestore.model.errors",
    "RestoredInstance": "pytest_pgrestore.restore.instance",
    "TargetUnreachable": "pytest_pgrestore.model.errors",
    "Verdict": "pytest_pgrestore.model.verdict",
}

__all__ = [
    "BackupNotRestorable",
    "ConfigError",
    "Factory",
    "HarnessError",
    "PgRestoreError",
    "RestoredInstance",
    "TargetUnreachable",
    "Verdict",
]


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
