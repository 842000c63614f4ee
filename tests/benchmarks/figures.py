"""What the benchmarks share: their options, and how they print figures."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path

GIB = 1024**3


def options(description: str, *, pairs: int, scale: int) -> argparse.ArgumentParser:
    """Return a parser of command lines with the options of every benchmark.

    Args:
        description: Shown by ``--help``.
        pairs: Default number of pairs that are measured, after one that is not.
        scale: Default scale of pgbench; 1 is 100,000 accounts, about 15 MB.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--pairs", type=int, default=pairs)
    parser.add_argument("--scale", type=int, default=scale)
    return parser


def size_bytes(directory: Path) -> int:
    """Return the size of all files in `directory`."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def print_median(title: str, values: Iterable[float]) -> None:
    """Print median and range of a figure."""
    known = list(values)
    middle = statistics.median(known)
    print(f"{title}: median {middle:.2f}, {min(known):.2f} to {max(known):.2f}", flush=True)


def print_phases(phases: Mapping[str, float], title: str = "") -> None:
    """Print the seconds of each phase of one drill."""
    words = ", ".join(f"{name} {seconds:.2f}" for name, seconds in phases.items())
    print(f"   {title}{words}", flush=True)
