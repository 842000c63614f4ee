"""A drill of a tool's repository against the bare tool, in pairs.

    .venv/bin/python -m tests.benchmarks.tool_drills [--tools NAMES] [--pairs N] [--scale S] [--transactions T]

The bare tool is what its manual says: restore, start the server, ask until it answers. Both restore the same
repository, on this machine, with as many processes as cores. Ratios are the result; seconds hold on one machine only.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Sequence

from pytest_pgrestore.demo.cluster import short_directory
from tests.benchmarks import drill_against_script
from tests.benchmarks.bare_tools import (
    CORES,
    BareTool,
    Barman,
    Pgbackrest,
    Walg,
    build,
    fresh,
    remove,
    start_and_ask,
)
from tests.benchmarks.drill_against_script import RESTORE, run_drill
from tests.real.local_tools import MAJOR, Place

MIB = 1024**2
TOOLS: dict[str, BareTool] = {"pgbackrest": Pgbackrest(), "barman": Barman(), "walg": Walg()}


def run_bare(tool: BareTool, place: Place) -> float:
    """Return the seconds of restore, start and first query, with the tool alone."""
    data = fresh(place)
    started = time.monotonic()
    start_and_ask(place, data, tool.restore(place, data))
    seconds = time.monotonic() - started
    remove(place, data)
    return seconds


def told(title: str, values: Sequence[float]) -> None:
    """Print one figure."""
    print(
        f"{title}: median {statistics.median(values):.2f}, {min(values):.2f} to {max(values):.2f}",
        flush=True,
    )


def compare(tool: BareTool, place: Place, pairs: int) -> None:
    """Run the pairs, and print each and their medians."""
    table = tool.source.replace("{directory}", str(place.directory))
    drill_against_script.CONFIG = f'[sources.bench]\n{table}database = "bench"\n'
    drills = []
    for number in range(pairs + 1):
        bare = run_bare(tool, place)
        whole, phases = run_drill(place.directory, place.directory)
        restore = sum(phases[name] for name in RESTORE)
        print(
            f"pair {number}: bare {bare:.2f} s, drill's restore {restore:.2f} s, whole pytest run {whole:.2f} s"
        )
        print(
            "   " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in phases.items()),
            flush=True,
        )
        if number:  # the first pair warms the cache
            drills.append((restore / bare, whole / bare))
    told("our restore / bare tool", [restore for restore, _ in drills])
    told("whole pytest run / bare tool", [whole for _, whole in drills])


def main() -> None:
    """Build once for each tool, run in pairs."""
    parser = argparse.ArgumentParser(description="drills against bare backup tools")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--scale", type=int, default=40)
    parser.add_argument("--transactions", type=int, default=40000)
    arguments = parser.parse_args()
    for name in arguments.tools:
        tool, directory = TOOLS[name], short_directory()
        if shutil.which(tool.programs[0]) is None:
            print(f"{name} is not on PATH: not measured")
            continue
        try:
            place = build(tool, directory, arguments.scale, arguments.transactions)
            size = sum(
                path.stat().st_size for path in (directory / tool.kept).rglob("*") if path.is_file()
            )
            print(
                f"{tool.version(place)}, PostgreSQL {MAJOR}, {CORES} cores: {size / MIB:.0f} MiB stored",
                flush=True,
            )
            compare(tool, place, arguments.pairs)
        finally:
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
