"""A dump with payments, or without a single one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.conftest import World


def healthy(world: World) -> None:
    """The payments are there."""
    world.dump()


def disaster(world: World) -> None:
    """The payments were truncated before the dump."""
    world.sql("truncate payments")
    world.dump()
