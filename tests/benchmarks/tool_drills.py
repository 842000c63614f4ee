"""A drill of a backup tool's repository against the bare tool, in pairs.

    .venv/bin/python -m tests.benchmarks.tool_drills
        [--tools NAMES] [--pairs N] [--scale S] [--transactions T]

The bare tool follows its manual: restore, start the server, query until it answers. Both restore
the same repository on this machine, with as many processes as cores. The ratios are the result:
seconds are valid on one machine only.
"""

from __future__ import annotations

import shutil
import time

from pytest_pgrestore.demo.cluster import short_directory
from tests.benchmarks.bare_tools import (
    CORES,
    DATABASE,
    BareTool,
    Barman,
    Pgbackrest,
    Place,
    Walg,
    build,
)
from tests.benchmarks.drill_against_script import RESTORE, run_drill
from tests.benchmarks.figures import options, print_median, print_phases, size_bytes
from tests.real.local_tools import MAJOR

MIB = 1024**2
TOOLS: dict[str, BareTool] = {"pgbackrest": Pgbackrest(), "barman": Barman(), "walg": Walg()}


def run_bare(tool: BareTool, place: Place) -> float:
    """Return the seconds of restore, start and first query, with the tool alone."""
    data = place.fresh()
    started = time.monotonic()
    place.start_and_query(data, tool.restore(place, data))
    seconds = time.monotonic() - started
    place.remove(data)
    return seconds


def compare(tool: BareTool, place: Place, pairs: int) -> None:
    """Run the pairs; print each of them, then the medians."""
    table = tool.source.replace("{directory}", str(place.directory))
    config = f'[sources.bench]\n{table}database = "{DATABASE}"\n'
    figures = []
    for number in range(pairs + 1):
        bare = run_bare(tool, place)
        whole, phases = run_drill(config, place.directory)
        restore = sum(phases[name] for name in RESTORE)
        print(f"pair {number}: bare {bare:.2f} s, restore {restore:.2f} s, pytest {whole:.2f} s")
        print_phases(phases)
        if number:  # the first pair warms the cache
            figures.append((restore / bare, whole / bare))
    print_median("our restore / bare tool", [restore for restore, _ in figures])
    print_median("whole pytest run / bare tool", [whole for _, whole in figures])


def measure(tool: BareTool, scale: int, transactions: int, pairs: int) -> None:
    """Build a repository of `tool`, and compare."""
    directory = short_directory()
    try:
        place = build(tool, directory, scale, transactions)
        stored = size_bytes(directory / tool.kept) / MIB
        version = tool.version(place)
        print(f"{version}, PostgreSQL {MAJOR}, {CORES} cores: {stored:.0f} MiB stored", flush=True)
        compare(tool, place, pairs)
    finally:
        shutil.rmtree(directory)


def main() -> None:
    """Measure each tool that is installed."""
    parser = options("drills against bare backup tools", pairs=3, scale=40)
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--transactions", type=int, default=40000)
    arguments = parser.parse_args()
    for name in arguments.tools:
        if shutil.which(TOOLS[name].programs[0]) is None:
            print(f"{name} is not on PATH: not measured")
        else:
            measure(TOOLS[name], arguments.scale, arguments.transactions, arguments.pairs)


if __name__ == "__main__":
    main()
