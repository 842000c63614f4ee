"""A dump holds one moment: the only target it reaches is ``latest``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.target import Latest

if TYPE_CHECKING:
    from pytest_pgrestore.model.target import RecoveryTarget


def require_latest(source: str, target: RecoveryTarget) -> None:
    """Refuse any other target.

    Raises:
        ConfigError: It is another one.
    """
    if not isinstance(target, Latest):
        raise ConfigError(
            f"source {source} is a dump and cannot be recovered to {target}",
            hint="a dump holds one moment: use target latest, or a base backup with a WAL archive.",
        )
