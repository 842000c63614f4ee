"""`pgrestore demo`: the main job on a small real shop, good backups first, damaged ones after."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.lab import damage
from pytest_pgrestore.lab.cluster import Cluster, short_directory
from pytest_pgrestore.lab.shop import DATABASE, bad_deployment, bug, build_shop, trade
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.evidence import Evidence

ORDERS = 20_000
"""Gives about 10^5 rows in all."""

_MARK = ".pgrestore-demo"
_DEADLINE_SECONDS = 900.0
_QUICKSTART = Path(__file__).parent.parent / "lab" / "quickstart"


@dataclass(frozen=True, slots=True)
class _World:
    """What the shop left behind: its backups, and the moment before the accident."""

    backups: Path
    before: str


def run_demo(directory: Path, say: Callable[[str], Any]) -> int:
    """Build, back up, break, drill; return 0 when every drill came out as it should.

    Raises:
        ConfigError: `directory` holds something that is not a demo's.
        HarnessError: No PostgreSQL programs.
    """
    _prepare(directory)
    say("building a shop with WAL archiving, a pg_dump, a pg_dumpall of globals and a pg_basebackup ...")
    world = _build(directory, say)
    say("")
    say("1. drilling the good backups: the dump, the latest point, and the moment before the accident")
    good = _drill(directory, "good", world, world.backups, say)
    say("")
    say("2. drilling damaged copies: the dump cut at 60 %, one WAL segment missing")
    bad = _drill(directory, "damaged", world, _damaged(directory, world), say)
    say("")
    wrong = [*_unexpected(good, Verdict.PASSED), *_unexpected(bad, Verdict.FAILED)]
    for text in wrong:
        say(f"UNEXPECTED: {text}")
    say("every drill came out as it should" if not wrong else "the demo did not come out as it should")
    say(f"the project, the backups and the reports are in {directory}")
    return 1 if wrong else 0


def _prepare(directory: Path) -> None:
    if directory.exists() and any(directory.iterdir()) and not (directory / _MARK).exists():
        raise ConfigError(
            f"{directory} is there and was not made by the demo", hint="name another place with --directory."
        )
    shutil.rmtree(directory, ignore_errors=True)
    try:
        directory.mkdir(parents=True)
        (directory / _MARK).touch()
        shutil.copytree(_QUICKSTART, directory / "project", ignore=shutil.ignore_patterns("__pycache__"))
    except OSError as exc:
        raise ConfigError(
            f"{directory} cannot be made: {exc.strerror}", hint="name another place with --directory."
        ) from None


def _build(directory: Path, say: Callable[[str], Any]) -> _World:
    workshop = short_directory()
    try:
        with Cluster.create(workshop, wal_segment_mib=16) as cluster:
            made = workshop / "backups"
            build_shop(cluster, ORDERS)
            cluster.dump(made / "shop-1.dump", DATABASE)
            cluster.dump_all(made / "globals.sql", "--globals-only")
            cluster.base_backup(made / "base")
            trade(cluster)
            cluster.switch_wal()
            trade(cluster)
            before = cluster.now().isoformat()
            say(f"{before}: a bad deployment drops orders.discount, and a bug deletes a third of the payments")
            bad_deployment(cluster)
            bug(cluster)
            trade_after_the_accident(cluster)
            cluster.switch_wal()
        # Copies, so that the server's user owns nothing that stays.
        backups = directory / "backups"
        shutil.copytree(made, backups)
        shutil.copytree(cluster.archive, backups / "wal")
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return _World(backups, before)


def trade_after_the_accident(cluster: Cluster) -> None:
    """Commit one more order without the column that is gone: life goes on."""
    order = "insert into orders (customer_id, status) values (1, 'open') returning id"
    line = "insert into order_lines values (%s, 1, 'article 1', 100)"
    cluster.sql(line, cluster.value(order, database=DATABASE), database=DATABASE)


def _damaged(directory: Path, world: _World) -> Path:
    damaged = directory / "damaged-backups"
    shutil.copytree(world.backups, damaged)
    damage.cut(damaged / "shop-1.dump", 0.6)
    segments = sorted(path for path in (damaged / "wal").iterdir() if len(path.name) == 24)  # noqa: PLR2004 - a segment
    segments[-2].unlink()
    return damaged


def _drill(directory: Path, name: str, world: _World, backups: Path, say: Callable[[str], Any]) -> Evidence:
    """Run pytest on the quickstart project in a process of its own, as a user would."""
    from pytest_pgrestore.reports.load import load
    from pytest_pgrestore.reports.terminal import lines

    reports = directory / f"reports-{name}"
    done = run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--pgrestore-report-dir={reports}"],
        timeout_seconds=_DEADLINE_SECONDS,
        env={**os.environ, "SHOP_BACKUPS": str(backups), "SHOP_BEFORE_THE_ACCIDENT": world.before},
        cwd=directory / "project",
        check=False,
    )
    evidence = reports / "evidence.json"
    if not evidence.exists():
        raise HarnessError(f"pytest wrote no evidence: {done.tail()}", hint="run `pgrestore doctor`.")
    found = load(evidence.read_text(encoding="utf-8"))
    for line, _ in lines(found):
        say(line)
    for path in sorted(reports.glob("*.*")):
        say(f"  {path}")
    return found


def _unexpected(evidence: Evidence, wanted: Verdict) -> list[str]:
    """Return what came out otherwise; on the damaged copies the point before the hole may still be reached."""
    names = {drill.drill: drill.verdict() for drill in evidence.drills}
    wrong = [
        f"{name} is {names.get(name, 'missing')}, not {wanted}"
        for name in ("shop@latest", "shop_pitr@latest")
        if names.get(name) is not wanted
    ]
    if wanted is Verdict.PASSED:
        wrong += [
            f"{name} is {verdict}" for name, verdict in names.items() if verdict is not wanted and "time:" in name
        ]
        wrong += [] if len(names) == 3 else [f"{len(names)} drills instead of 3"]  # noqa: PLR2004 - as written out
    return wrong
