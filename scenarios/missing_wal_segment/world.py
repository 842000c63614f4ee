"""A base backup and an archive, with or without a hole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.conftest import World

ROUNDS = 4


def healthy(world: World) -> None:
    """Every segment is in the archive."""
    world.base_backup()
    for _ in range(ROUNDS):
        world.trade()
        world.archive_all()


def disaster(world: World) -> None:
    """The last segment but one is not there."""
    healthy(world)
    world.segments()[-2].unlink()
