"""What confinement costs: the same drills with it and without, in pairs.

    .venv/bin/python -m tests.benchmarks.confinement_cost [--pairs N] [--scale S]

One drill is of a base backup, whose server is started by bubblewrap or not. The other loads a dump
of the same database: its server and its clients are confined or not. The ratios are the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.benchmarks.drill_against_script import (
    CONFIG,
    LOCAL,
    MAJOR,
    build,
    print_machine,
    run_drill,
)
from tests.benchmarks.figures import options, print_median, print_phases

DUMP_CONFIG = """
[sources.bench]
type = "dump"
path = "{dump}"
jobs = 1
"""
WITH, WITHOUT = ({**LOCAL, "PGRESTORE_CONFINE": word} for word in ("required", "off"))
RESTORE = ("fetch", "start", "replay", "promote", "ready")
"""The phases that start the server and load into it."""


def compare(title: str, config: str, directory: Path, pairs: int) -> None:
    """Run the pairs of one kind of drill; print each of them, then the medians.

    Every second pair runs in the other order, so that neither side always finds a warm cache.
    """
    whole, phases = [], []
    for number in range(pairs + 1):
        order = (WITH, WITHOUT) if number % 2 else (WITHOUT, WITH)
        found = {id(way): run_drill(config, directory, way) for way in order}
        if number == 0:
            continue
        (confined, here), (free, there) = found[id(WITH)], found[id(WITHOUT)]
        whole.append(confined / free)
        phases.append(restoring(here) / restoring(there))
        print(f"{title}, pair {number}: confined {confined:.2f} s, not {free:.2f} s")
        print_phases(here, "confined ")
        print_phases(there, "not      ")
    print_median(f"{title}: confined / not, start and load", phases)
    print_median(f"{title}: confined / not, whole pytest run", whole)


def restoring(phases: Mapping[str, float]) -> float:
    """Return the seconds of the phases that confinement could slow down."""
    return sum(phases.get(name, 0.0) for name in RESTORE)


def main() -> None:
    """Build once, run in pairs."""
    arguments = options("drills with confinement and without", pairs=6, scale=20).parse_args()
    directory = short_directory()
    try:
        backups, _ = build(directory, arguments.scale)
        with Cluster.create(directory / "d", MAJOR) as cluster:
            cluster.sql("create database bench")
            cluster.client("pgbench", "--initialize", "--quiet", f"-s{arguments.scale}", "bench")
            cluster.sql("insert into pgbench_history values (1, 1, 1)", database="bench")
            dump = cluster.dump(directory / "dumps" / "bench.sql", "bench", form="plain")
        print_machine(backups)
        compare("base backup", CONFIG.format(backups=backups), directory, arguments.pairs)
        compare("dump", DUMP_CONFIG.format(dump=dump), directory, arguments.pairs)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
