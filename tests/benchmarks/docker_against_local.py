"""The same drill in a container and as a local process, and Docker's own part of it, in paired runs.

    .venv/bin/python -m tests.benchmarks.docker_against_local [--pairs N] [--scale S]

Docker's own part is measured with its command line: start a container of the same image, run one program in it, remove
it. A drill takes two containers, one to read backups and one for the copy. Ratios are the result; seconds hold on one
machine only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import time
from uuid import uuid4

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.sandboxes.docker.daemon.client import connect
from pytest_pgrestore.sandboxes.docker.daemon.image import image_for
from tests.benchmarks.drill_against_script import GIB, MAJOR, WORK, build, run_drill
from tests.real.runtimes import BASE, docker_settings, require_docker

DOCKER = {"PGRESTORE_RUNTIME": "docker", "PGRESTORE_BASE_IMAGE": BASE}


def run_bare(image: str) -> float:
    """Return the seconds of Docker's command line for a container: up, one program run in it, gone."""
    name = f"bench-{uuid4().hex[:8]}"
    started = time.monotonic()
    _docker("run", "-d", "--rm", "--network=none", "--name", name, image, "sleep", "600")
    _docker("exec", name, "true")
    _docker("rm", "-f", "-v", name)
    return time.monotonic() - started


def _docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Build once, run in pairs, print the medians."""
    parser = argparse.ArgumentParser(description="the same drill in Docker and local")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--scale", type=int, default=70)
    arguments = parser.parse_args()
    require_docker()
    directory = short_directory()
    try:
        image = image_for(connect(), docker_settings(directory), MAJOR, directory / "lock").name
        backups, _ = build(directory, arguments.scale)
        size = sum(path.stat().st_size for path in backups.rglob("*") if path.is_file())
        print(
            f"backup and archive: {size / GIB:.2f} GiB, PostgreSQL {MAJOR}, {os.cpu_count()} cores"
        )
        pairs = []
        for number in range(arguments.pairs + 1):
            local, here = run_drill(backups, directory)
            docker, there = run_drill(backups, directory, DOCKER)
            bare = run_bare(image)
            ours = [
                sum(seconds for name, seconds in phases.items() if name not in WORK)
                for phases in (here, there)
            ]
            if number:  # the first pair warms the cache
                pairs.append((local, docker, bare, ours[1] - ours[0]))
                print(
                    f"pair {number}: local {local:.2f} s, docker {docker:.2f} s, bare container {bare:.2f} s"
                )
                for title, phases in (("local ", here), ("docker", there)):
                    print(
                        f"   {title} "
                        + ", ".join(f"{name} {seconds:.2f}" for name, seconds in phases.items())
                    )
        for title, values in (
            ("docker / local, whole pytest run", [docker / local for local, docker, _, _ in pairs]),
            (
                "docker - local, whole pytest run, seconds",
                [docker - local for local, docker, _, _ in pairs],
            ),
            ("a bare container, up and removed, seconds", [bare for _, _, bare, _ in pairs]),
            (
                "docker - local, less two bare containers, seconds",
                [d - lo - 2 * bare for lo, d, bare, _ in pairs],
            ),
            (
                "docker - local outside fetch, start, replay and promote, seconds",
                [extra for _, _, _, extra in pairs],
            ),
        ):
            print(
                f"{title}: median {statistics.median(values):.2f}, {min(values):.2f} to {max(values):.2f}"
            )
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
