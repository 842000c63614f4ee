"""A base backup, a restore point, and a migration that drops a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.conftest import World


def healthy(world: World) -> None:
    """Production goes on after the deployment, with all its columns."""
    world.base_backup()
    world.cluster.restore_point("before_deployment")
    world.trade()
    world.archive_all()


def disaster(world: World) -> None:
    """The deployment drops orders.discount."""
    world.base_backup()
    world.cluster.restore_point("before_deployment")
    world.sql("alter table orders drop column discount cascade")
    world.sql("insert into orders (customer_id, status) values (1, 'open')")
    world.archive_all()
