"""A target time with, or without, a commit after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.conftest import World


def healthy(world: World) -> None:
    """Business goes on after the target."""
    world.base_backup()
    world.trade()
    world.environment["POINT"] = world.cluster.now().isoformat()
    world.trade()
    world.archive_all()


def disaster(world: World) -> None:
    """Nothing is committed after the target."""
    world.base_backup()
    world.trade()
    world.archive_all()
    world.environment["POINT"] = world.cluster.now().isoformat()
