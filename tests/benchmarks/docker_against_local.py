"""The same drill in a container and as a local process, and Docker's own part of it, in paired runs.

    .venv/bin/python -m tests.benchmarks.docker_against_local [--pairs N] [--scale S]

Docker's own part is measured with its command line: start a container of the same image, initialise and start a server
in it until it answers, remove it. Ratios are the result; seconds hold on one machine only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from uuid import uuid4

from pytest_pgrestore.lab.cluster import short_directory
from pytest_pgrestore.sandboxes.docker.engine import connect
from pytest_pgrestore.sandboxes.docker.image import image_for
from tests.benchmarks.drill_against_script import GIB, MAJOR, WORK, build, run_drill
from tests.real.sandboxes import BASE, docker_settings, require_docker

DOCKER = {"PGRESTORE_RUNTIME": "docker", "PGRESTORE_BASE": BASE}


def run_bare(image: str, data: Path) -> float:
    """Return the seconds of Docker's command line: a container up, the server of `data` in it ready, both gone."""
    name = f"bench-{uuid4().hex[:8]}"
    programs = f"/usr/lib/postgresql/{MAJOR}/bin"
    inside = "/copy"
    started = time.monotonic()
    _docker("run", "-d", "--rm", "--network=none", "--name", name, "-v", f"{data}:{inside}", image, "sleep", "600")
    owner = f"{data.stat().st_uid}:{data.stat().st_gid}"
    server = [f"{programs}/postgres", "-D", inside]
    for setting in ("unix_socket_directories=/tmp", "port=5432", "archive_mode=off", "listen_addresses="):
        server += ["-c", setting]
    _docker("exec", "-d", "-u", owner, name, *server)
    ready = f"until {programs}/psql -h /tmp -p 5432 -U postgres -Atc 'select 1' postgres 2>/dev/null; do :; done"
    _docker("exec", "-u", owner, name, "timeout", "60", "sh", "-c", ready)
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
        backups, cluster = build(directory, arguments.scale)
        size = sum(path.stat().st_size for path in backups.rglob("*") if path.is_file())
        print(f"backup and archive: {size / GIB:.2f} GiB, PostgreSQL {MAJOR}, {os.cpu_count()} cores")
        pairs = []
        for number in range(arguments.pairs + 1):
            local, here = run_drill(backups, directory)
            docker, there = run_drill(backups, directory, DOCKER)
            bare = run_bare(image, cluster.data)
            ours = [sum(seconds for name, seconds in phases.items() if name not in WORK) for phases in (here, there)]
            if number:  # the first pair warms the cache
                pairs.append((local, docker, bare, ours[1] - ours[0]))
                print(f"pair {number}: local {local:.2f} s, docker {docker:.2f} s, bare container {bare:.2f} s")
                for title, phases in (("local ", here), ("docker", there)):
                    print(f"   {title} " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in phases.items()))
        for title, values in (
            ("docker / local, whole pytest run", [docker / local for local, docker, _, _ in pairs]),
            ("docker - local, whole pytest run, seconds", [docker - local for local, docker, _, _ in pairs]),
            ("bare container up, server ready, removed, seconds", [bare for _, _, bare, _ in pairs]),
            ("added by us on top of the bare container, seconds", [d - lo - bare for lo, d, bare, _ in pairs]),
            ("docker - local outside fetch, start, replay and promote, seconds", [extra for _, _, _, extra in pairs]),
        ):
            print(f"{title}: median {statistics.median(values):.2f}, {min(values):.2f} to {max(values):.2f}")
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
