"""A base backup, a restore point, and a clean-up job that deletes too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.conftest import World


def healthy(world: World) -> None:
    """The clean-up job finds nothing to do."""
    world.base_backup()
    world.cluster.restore_point("before_cleanup")
    world.trade()
    world.archive_all()


def disaster(world: World) -> None:
    """The clean-up job deletes a third of the payments."""
    world.base_backup()
    world.cluster.restore_point("before_cleanup")
    world.sql("delete from payments where id % 3 = 0")
    world.archive_all()
