"""WAL brought ahead of replay against one segment at a time, with pgBackRest; in pairs.

    .venv/bin/python -m tests.benchmarks.wal_ahead [--pairs N] [--scale S] [--transactions T]

Each way starts from one restored directory and ends with the first query. Ratios are the result; seconds hold on one
machine only.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pytest_pgrestore.demo.cluster import short_directory
from tests.benchmarks.bare_tools import CORES, Pgbackrest, build, fresh, remove, start_and_ask
from tests.benchmarks.tool_drills import told
from tests.real.local_tools import MAJOR, Place

TOOL = Pgbackrest()


def fetching(place: Place, data: Path, *options: str) -> tuple[str]:
    """Return the setting that fetches a segment when replay asks for it."""
    given = " ".join(
        (f"--config={place.directory}/pgbackrest.conf", f"--stanza={TOOL.stanza}", *options)
    )
    return (f'restore_command=pgbackrest {given} --pg1-path={data} archive-get %f "%p"',)


def one_at_a_time(place: Place, data: Path) -> None:
    """The tool's own `restore_command`."""
    start_and_ask(place, data, fetching(place, data))


def one_at_a_time_async(place: Place, data: Path) -> None:
    """The same with the tool's own prefetch."""
    spool = data.parent / "spool"
    options = ("--archive-async", f"--spool-path={spool}", f"--process-max={CORES}")
    start_and_ask(place, data, fetching(place, data, *options))


def by_threads(place: Place, data: Path) -> None:
    """`archive-get` for every segment ahead of replay, as many at once as there are cores."""
    with ThreadPoolExecutor(CORES) as pool:
        list(
            pool.map(
                lambda name: TOOL.run(
                    place, data, "archive-get", name, str(data / "pg_wal" / name)
                ),
                TOOL.segments(place),
            )
        )
    start_and_ask(place, data, ("restore_command=false",))


def by_workers(place: Place, data: Path) -> None:
    """The tool's own workers ahead of replay, as the drill does."""
    spool = data.parent / "spool"
    shelf = spool / "archive" / TOOL.stanza / "in"
    shelf.mkdir(parents=True)
    for path in (spool, *spool.rglob("*")):
        place.cluster.programs.account.own(path)
    names = TOOL.segments(place)
    TOOL.run(place, data, "archive-get:async", "--archive-async", f"--spool-path={spool}", *names)
    for name in names:
        (shelf / name).rename(data / "pg_wal" / name)
    start_and_ask(place, data, ("restore_command=false",))


WAYS: tuple[Callable[[Place, Path], None], ...] = (
    one_at_a_time,
    one_at_a_time_async,
    by_threads,
    by_workers,
)


def run_ways(place: Place) -> list[float]:
    """Return the seconds from a restored directory to the first query, for each way to get at WAL."""
    found = []
    for way in WAYS:
        data = fresh(place)
        TOOL.restore(place, data)
        started = time.monotonic()
        way(place, data)
        found.append(time.monotonic() - started)
        remove(place, data)
    return found


def main() -> None:
    """Build once, run in pairs, print the medians."""
    parser = argparse.ArgumentParser(
        description="WAL ahead of replay against one segment at a time"
    )
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--scale", type=int, default=40)
    parser.add_argument("--transactions", type=int, default=40000)
    arguments = parser.parse_args()
    directory = short_directory()
    try:
        place = build(TOOL, directory, arguments.scale, arguments.transactions)
        count = len(TOOL.segments(place))
        print(
            f"{TOOL.version(place)}, PostgreSQL {MAJOR}, {CORES} cores: {count} segments behind the backup"
        )
        ratios = []
        for number in range(arguments.pairs + 1):
            each = run_ways(place)
            told_each = ", ".join(f"{way.__name__} {each[i]:.2f}" for i, way in enumerate(WAYS))
            print(f"pair {number}: {told_each}", flush=True)
            if number:  # the first pair warms the cache
                ratios.append([seconds / each[0] for seconds in each])
        for index, way in enumerate(WAYS):
            told(f"{way.__name__} / {WAYS[0].__name__}", [each[index] for each in ratios])
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
