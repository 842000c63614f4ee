"""`pgrestore demo`: the main job on a small real shop, good backups first, damaged ones after."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_pgrestore.demo
from pytest_pgrestore.demo import damage
from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.demo.shop import DATABASE, bad_deployment, bug, build_shop, trade
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.system.process import run
from pytest_pgrestore.system.signals import TermSignal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_pgrestore.model.evidence import Evidence

ORDERS = 20_000
"""Gives about 10^5 rows in all."""

_MARK = ".pgrestore-demo"
_DEADLINE_SECONDS = 900.0
_QUICKSTART = Path(pytest_pgrestore.demo.__file__).parent / "quickstart"


@dataclass(frozen=True, slots=True)
class _World:
    """What the shop left behind: its backups, and the moment before the accident."""

    backups: Path
    before: str

    @property
    def drills(self) -> tuple[str, str, str]:
        """The drills the quickstart project asks for."""
        return "shop@latest", "shop_pitr@latest", f"shop_pitr@time:{self.before}"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one pytest run on the project ended."""

    status: int
    evidence: Evidence


def run_demo(directory: Path, say: Callable[[str], Any]) -> int:
    """Build, back up, break, drill; return 0 when every drill came out as it should.

    Raises:
        ConfigError: `directory` holds something that is not a demo's.
        HarnessError: No PostgreSQL programs.
    """
    import pytest

    _prepare(directory)
    say(
        "building a shop with WAL archiving, a pg_dump, a pg_dumpall of globals and a pg_basebackup ..."
    )
    world = _build(directory, say)
    say("")
    say(
        "1. drilling the good backups: the dump, the latest point, and the moment before the accident"
    )
    good = _drill(directory, "good", world, world.backups, say)
    unexpected = _unexpected(
        good, pytest.ExitCode.OK, Verdict.PASSED, dict.fromkeys(world.drills, "")
    )
    say("")
    say("2. drilling damaged copies: the dump cut at 60 %, one WAL segment missing")
    damaged, segment = _damaged(directory, world)
    bad = _drill(directory, "damaged", world, damaged, say)
    causes = dict(zip(world.drills, ("cut short", segment, segment), strict=True))
    unexpected += _unexpected(bad, pytest.ExitCode.TESTS_FAILED, Verdict.FAILED, causes)
    say("")
    for text in unexpected:
        say(f"UNEXPECTED: {text}")
    say(
        "every drill came out as it should"
        if not unexpected
        else "the demo did not come out as it should"
    )
    say(f"the project, the backups and the reports are in {directory}")
    return 1 if unexpected else 0


def _prepare(directory: Path) -> None:
    ours = (directory / _MARK).exists() or (directory.is_dir() and not any(directory.iterdir()))
    if directory.exists() and not ours:
        raise ConfigError(
            f"{directory} is there and was not made by the demo",
            hint="name another place with --directory.",
        )
    shutil.rmtree(directory, ignore_errors=True)
    try:
        directory.mkdir(parents=True)
        (directory / _MARK).touch()
        shutil.copytree(
            _QUICKSTART, directory / "project", ignore=shutil.ignore_patterns("__pycache__")
        )
    except OSError as exc:
        raise ConfigError(
            f"{directory} cannot be made: {exc.strerror}",
            hint="name another place with --directory.",
        ) from None


def _build(directory: Path, say: Callable[[str], Any]) -> _World:
    workshop = short_directory()
    term = TermSignal()
    term.install()
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
            say(
                f"{before}: a bad deployment drops orders.discount, and a bug deletes a third of the payments"
            )
            bad_deployment(cluster)
            bug(cluster)
            _order_after_the_accident(cluster)
            cluster.switch_wal()
        # Copies, so that the server's user owns nothing that stays.
        backups = directory / "backups"
        shutil.copytree(made, backups)
        shutil.copytree(cluster.archive, backups / "wal")
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
        term.restore()
    return _World(backups, before)


def _order_after_the_accident(cluster: Cluster) -> None:
    """Commit one more order without the column that is gone: life goes on."""
    order = "insert into orders (customer_id, status) values (1, 'open') returning id"
    line = "insert into order_lines values (%s, 1, 'article 1', 100)"
    cluster.sql(line, cluster.value(order, database=DATABASE), database=DATABASE)


def _damaged(directory: Path, world: _World) -> tuple[Path, str]:
    """Damage a copy of the backups; return where it is, and the segment that is missing from it."""
    damaged = directory / "damaged-backups"
    shutil.copytree(world.backups, damaged)
    damage.cut(damaged / "shop-1.dump", 0.6)
    # The last but one lies before both points: the latest, and the one before the accident.
    missing = damage.segments(damaged / "wal")[-2]
    missing.unlink()
    return damaged, missing.name


def _drill(
    directory: Path, name: str, world: _World, backups: Path, say: Callable[[str], Any]
) -> _Outcome:
    """Run pytest on the quickstart project in a process of its own, as a user would."""
    from pytest_pgrestore.evidence.file import load
    from pytest_pgrestore.reports.terminal import lines

    reports = directory / f"reports-{name}"
    project = directory / "project"
    # Settings of a project that the demo's directory lies in, a clone of this one for example, are not the demo's.
    alone = [
        "-c",
        os.devnull,
        f"--rootdir={project}",
        f"--confcutdir={project}",
        "-p",
        "no:cacheprovider",
    ]
    foreign = ("PYTEST_", "PGRESTORE_")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    done = run(
        [sys.executable, "-m", "pytest", *alone, f"--pgrestore-report-dir={reports}"],
        timeout_seconds=_DEADLINE_SECONDS,
        env={**inherited, "SHOP_BACKUPS": str(backups), "SHOP_BEFORE_THE_ACCIDENT": world.before},
        cwd=project,
        check=False,
    )
    evidence = reports / "evidence.json"
    if not evidence.exists():
        raise HarnessError(
            f"pytest wrote no evidence: {done.tail()}", hint="run `pgrestore doctor`."
        )
    found = load(evidence.read_text(encoding="utf-8"))
    for line, _ in lines(found):
        say(line)
    for path in sorted(reports.glob("*.*")):
        say(f"  {path}")
    return _Outcome(done.status, found)


def _unexpected(
    outcome: _Outcome, status: int, wanted: Verdict, causes: Mapping[str, str]
) -> list[str]:
    """Return what came out otherwise: the exit status, the drills, their verdicts, and the causes named."""
    found = {drill.drill: drill for drill in outcome.evidence.drills}
    wrong = (
        []
        if outcome.status == status
        else [f"pytest ended with status {outcome.status}, not {status:d}"]
    )
    wrong += [f"{name} was drilled" for name in found.keys() - causes.keys()]
    for name, cause in causes.items():
        if name not in found:
            wrong.append(f"{name} was not drilled")
            continue
        verdict, failure = found[name].verdict(), found[name].failure
        if verdict is not wanted:
            wrong.append(f"{name} is {verdict}, not {wanted}")
        elif cause not in (failure.problem if failure else ""):
            wrong.append(
                f"{name} went red for another cause: {failure.problem if failure else 'none given'}"
            )
    return wrong
