"""The backups of the demo's shop: good ones, then a damaged copy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.demo import damage
from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.demo.shop import DATABASE, bad_deployment, bug, build_shop, trade
from pytest_pgrestore.system.signals import TermSignal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORDERS = 20_000
"""Gives about 10^5 rows in all."""


@dataclass(frozen=True, slots=True)
class ShopBackups:
    """What is left of the shop.

    Attributes:
        directory: Holds the dump, the globals, the base backup and the archived WAL.
        before: The moment before the accident, in ISO 8601.
    """

    directory: Path
    before: str

    @property
    def drills(self) -> tuple[str, str, str]:
        """Names of the drills in the quickstart project."""
        return "shop@latest", "shop_pitr@latest", f"shop_pitr@time:{self.before}"


def build_backups(directory: Path, echo: Callable[[str], object]) -> ShopBackups:
    """Run a shop until some time after its accident, and save its backups in `directory`."""
    workshop = short_directory()
    # SIGTERM ends the demo as Ctrl-C does, so that the server is stopped.
    term = TermSignal()
    term.install()
    try:
        made = workshop / "backups"
        with Cluster.create(workshop, wal_segment_mib=16) as cluster:
            _back_up(cluster, made)
            before = _have_an_accident(cluster, echo)
        # Copies belong to the user of the demo; the originals belong to the server's user.
        shutil.copytree(made, directory)
        shutil.copytree(cluster.archive, directory / "wal")
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
        term.restore()
    return ShopBackups(directory, before)


def _back_up(cluster: Cluster, made: Path) -> None:
    build_shop(cluster, ORDERS)
    cluster.dump(made / "shop-1.dump", DATABASE)
    cluster.dump_all(made / "globals.sql", "--globals-only")
    cluster.base_backup(made / "base")
    trade(cluster)
    cluster.switch_wal()


def _have_an_accident(cluster: Cluster, echo: Callable[[str], object]) -> str:
    """Return the moment before the accident; the last transaction comes after it."""
    trade(cluster)
    before = cluster.now().isoformat()
    echo(
        f"{before}: a bad deployment drops orders.discount,"
        " and a bug deletes a third of the payments"
    )
    bad_deployment(cluster)
    bug(cluster)
    _order_after_the_accident(cluster)
    cluster.switch_wal()
    return before


def _order_after_the_accident(cluster: Cluster) -> None:
    """Commit one more order, without the dropped column: the shop goes on."""
    order = "insert into orders (customer_id, status) values (1, 'open') returning id"
    line = "insert into order_lines values (%s, 1, 'article 1', 100)"
    cluster.sql(line, cluster.value(order, database=DATABASE), database=DATABASE)


def damage_copy(backups: ShopBackups, directory: Path) -> tuple[ShopBackups, str]:
    """Copy `backups` to `directory` and damage the copy.

    Returns:
        The copy, and the name of the WAL segment that is missing from it.
    """
    shutil.copytree(backups.directory, directory)
    damage.cut(directory / "shop-1.dump", 0.6)
    # The last but one is needed for both points, the latest and the one before the accident.
    missing = damage.segments(directory / "wal")[-2]
    missing.unlink()
    return replace(backups, directory=directory), missing.name
