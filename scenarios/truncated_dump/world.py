"""A dump, whole or cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.conftest import World


def healthy(world: World) -> None:
    """The dump is whole."""
    world.dump()


def disaster(world: World) -> None:
    """The last 40 % of the dump are missing."""
    dump = world.dump()
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size * 6 // 10])
