"""The same drill in a container and as a local process, in pairs; and what Docker itself takes.

    .venv/bin/python -m tests.benchmarks.docker_against_local [--pairs N] [--scale S]

What Docker itself takes is measured with its command line: start a container of the same image, run
one program in it, remove it. A drill needs two containers, one to read the backups and one for the
copy. The ratios are the result: seconds are valid on one machine only.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from uuid import uuid4

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.sandboxes.docker.daemon.client import connect
from pytest_pgrestore.sandboxes.docker.daemon.image import image_for
from tests.benchmarks.drill_against_script import (
    CONFIG,
    MAJOR,
    added,
    build,
    print_machine,
    run_drill,
)
from tests.benchmarks.figures import options, print_median, print_phases
from tests.real.runtimes import BASE, docker_settings, require_docker

DOCKER = {"PGRESTORE_RUNTIME": "docker", "PGRESTORE_BASE_IMAGE": BASE}


def run_bare(image: str) -> float:
    """Return the seconds that Docker's command line takes to start, use and remove a container."""
    name = f"bench-{uuid4().hex[:8]}"
    started = time.monotonic()
    _docker("run", "-d", "--rm", "--network=none", "--name", name, image, "sleep", "600")
    _docker("exec", name, "true")
    _docker("rm", "-f", "-v", name)
    return time.monotonic() - started


def _docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, stdout=subprocess.DEVNULL)


def compare(image: str, backups: Path, directory: Path, pairs: int) -> None:
    """Run the pairs; print each of them, then the medians."""
    config, figures = CONFIG.format(backups=backups), []
    for number in range(pairs + 1):
        local, here = run_drill(config, directory)
        docker, there = run_drill(config, directory, DOCKER)
        bare = run_bare(image)
        if number == 0:
            continue  # the first pair warms the cache
        more = docker - local
        figures.append((docker / local, more, bare, more - 2 * bare, added(there) - added(here)))
        print(f"pair {number}: local {local:.2f} s, docker {docker:.2f} s, bare {bare:.2f} s")
        print_phases(here, "local  ")
        print_phases(there, "docker ")
    titles = (
        "docker / local, whole pytest run",
        "docker - local, whole pytest run, seconds",
        "a bare container, up and removed, seconds",
        "docker - local, less two bare containers, seconds",
        "docker - local outside fetch, start, replay and promote, seconds",
    )
    for title, values in zip(titles, zip(*figures, strict=True), strict=True):
        print_median(title, values)


def main() -> None:
    """Build once, run in pairs."""
    parser = options("the same drill in Docker and local", pairs=5, scale=70)
    arguments = parser.parse_args()
    require_docker()
    directory = short_directory()
    try:
        image = image_for(connect(), docker_settings(directory), MAJOR, directory / "lock").name
        backups, _ = build(directory, arguments.scale)
        print_machine(backups)
        compare(image, backups, directory, arguments.pairs)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
