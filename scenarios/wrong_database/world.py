"""A file called shop.dump, of the shop or of something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.conftest import World


def healthy(world: World) -> None:
    """The dump is of the shop."""
    world.dump()


def disaster(world: World) -> None:
    """The dump is of the warehouse, which has tables of the same names."""
    world.sql("create database warehouse template shop", database="postgres")
    world.dump(database="warehouse")
