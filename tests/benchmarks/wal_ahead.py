"""WAL fetched ahead of replay against one segment at a time, with pgBackRest, in pairs.

    .venv/bin/python -m tests.benchmarks.wal_ahead [--pairs N] [--scale S] [--transactions T]

Each way starts with a restored directory and ends with the first query. The ratios are the result:
seconds are valid on one machine only.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pytest_pgrestore.demo.cluster import short_directory
from tests.benchmarks.bare_tools import CORES, Pgbackrest, Place, build
from tests.benchmarks.figures import options, print_median
from tests.real.local_tools import MAJOR

TOOL = Pgbackrest()


def fetching(place: Place, data: Path, *more: str) -> tuple[str]:
    """Return the `restore_command` of pgBackRest, with more options."""
    config, stanza = f"--config={place.directory}/pgbackrest.conf", f"--stanza={TOOL.stanza}"
    given = " ".join((config, stanza, *more))
    return (f'restore_command=pgbackrest {given} --pg1-path={data} archive-get %f "%p"',)


def one_at_a_time(place: Place, data: Path) -> None:
    """The tool's own `restore_command`."""
    place.start_and_query(data, fetching(place, data))


def one_at_a_time_async(place: Place, data: Path) -> None:
    """The same with the tool's own prefetch (pgBackRest, `archive-async`)."""
    spool = data.parent / "spool"
    more = ("--archive-async", f"--spool-path={spool}", f"--process-max={CORES}")
    place.start_and_query(data, fetching(place, data, *more))


def by_threads(place: Place, data: Path) -> None:
    """`archive-get` for every segment ahead of replay, as many at once as there are cores."""

    def fetch(name: str) -> None:
        TOOL.run(place, data, "archive-get", name, str(data / "pg_wal" / name))

    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(fetch, TOOL.segments(place)))
    place.start_and_query(data, ("restore_command=false",))


def by_workers(place: Place, data: Path) -> None:
    """The tool's own workers ahead of replay, as in a drill.

    They leave segments in ``archive/<stanza>/in`` below the spool path. Source: pgBackRest,
    src/storage/helper.h, STORAGE_SPOOL_ARCHIVE_IN.
    """
    spool = data.parent / "spool"
    fetched = spool / "archive" / TOOL.stanza / "in"
    fetched.mkdir(parents=True)
    for path in (spool, *spool.rglob("*")):
        place.cluster.programs.account.own(path)
    names = TOOL.segments(place)
    TOOL.run(place, data, "archive-get:async", "--archive-async", f"--spool-path={spool}", *names)
    for name in names:
        (fetched / name).rename(data / "pg_wal" / name)
    place.start_and_query(data, ("restore_command=false",))


WAYS: tuple[Callable[[Place, Path], None], ...] = (
    one_at_a_time,
    one_at_a_time_async,
    by_threads,
    by_workers,
)


def run_ways(place: Place) -> list[float]:
    """Return the seconds from a restored directory to the first query, for each of `WAYS`."""
    found = []
    for way in WAYS:
        data = place.fresh()
        TOOL.restore(place, data)
        started = time.monotonic()
        way(place, data)
        found.append(time.monotonic() - started)
        place.remove(data)
    return found


def compare(place: Place, pairs: int) -> None:
    """Run the pairs; print each of them, then the medians."""
    ratios = []
    for number in range(pairs + 1):
        each = run_ways(place)
        words = [f"{way.__name__} {s:.2f}" for way, s in zip(WAYS, each, strict=True)]
        print(f"pair {number}: {', '.join(words)}", flush=True)
        if number:  # the first pair warms the cache
            ratios.append([seconds / each[0] for seconds in each])
    for way, values in zip(WAYS, zip(*ratios, strict=True), strict=True):
        print_median(f"{way.__name__} / {WAYS[0].__name__}", values)


def main() -> None:
    """Build once, run in pairs."""
    parser = options("WAL ahead of replay against one segment at a time", pairs=3, scale=40)
    parser.add_argument("--transactions", type=int, default=40000)
    arguments = parser.parse_args()
    directory = short_directory()
    try:
        place = build(TOOL, directory, arguments.scale, arguments.transactions)
        version, count = TOOL.version(place), len(TOOL.segments(place))
        print(f"{version}, PostgreSQL {MAJOR}, {CORES} cores: {count} segments after the backup")
        compare(place, arguments.pairs)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
