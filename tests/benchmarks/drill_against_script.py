"""A drill against the shell script of the usual kind, on the same base backup of at least 1 GB, in paired runs.

    .venv/bin/python tests/benchmarks/drill_against_script.py [--pairs N] [--scale S]

Prints, for each pair, the wall time of the script and of a whole `pytest` run with the same count as its assertion,
their ratio, and what the plugin adds outside the phases that do the work. Ratios are the result; seconds hold on one
machine only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pytest_pgrestore.demo.cluster import Cluster, short_directory

GIB = 1024**3
MAJOR = 17
WORK = ("fetch", "start", "replay", "promote")
"""Phases in which PostgreSQL and the disk work; the rest is ours."""

RESTORE = (*WORK, "configure", "ready")
"""Phases that count toward the RTO: from the first byte copied to the first query answered."""

# It waits for the end of recovery by SQL: pg_isready alone says yes a second after the start, and counts too few rows.
SCRIPT = """
set -e
mkdir -m 700 "$D" "$D.s"
cp -a "$B/base/." "$D/"
rm -rf "$D"/pg_wal/0*
echo "restore_command = 'cp $B/archive/%f %p'" >> "$D/postgresql.auto.conf"
touch "$D/recovery.signal"
"$P/pg_ctl" -D "$D" -l "$D.log" -s -W start \
    -o "-c listen_addresses='' -c unix_socket_directories=$D.s -c archive_mode=off -c hot_standby=off"
until "$P/pg_isready" -q -h "$D.s"; do sleep 1; done
test "$("$P/psql" -h "$D.s" -U postgres -Atc 'select pg_is_in_recovery()' bench)" = f
"$P/psql" -h "$D.s" -U postgres -Atc 'select count(*) from pgbench_history' bench
"$P/pg_ctl" -D "$D" -s -m fast -w stop
rm -rf "$D" "$D.s"
"""

LOCAL = {"PGRESTORE_RUNTIME": "local"}

CONFIG = """
[sources.bench]
type = "basebackup"
path = "{backups}/base"
wal = "{backups}/archive"
database = "bench"
"""

TEST = """
import pytest

@pytest.mark.pgrestore("bench", target="latest")
def test_rows(pgrestore_conn):
    assert pgrestore_conn.execute("select count(*) from pgbench_history").fetchone()[0] > 0
"""


def build(directory: Path, scale: int) -> tuple[Path, Cluster]:
    """Make the backups; return where they are, and the stopped cluster that made them."""
    cluster = Cluster.create(
        directory / "c", MAJOR, wal_segment_mib=16, settings={"max_wal_size": "4GB"}
    )
    backups = directory / "c" / "backups"
    with cluster:
        cluster.sql("create database bench")
        cluster.client("pgbench", "--initialize", "--quiet", f"--scale={scale}", "bench")
        cluster.base_backup(backups / "base")
        cluster.client("pgbench", "--client=2", "--transactions=15000", "--no-vacuum", "bench")
        cluster.switch_wal()
    shutil.move(cluster.archive, backups / "archive")
    return backups, cluster


def run_script(backups: Path, cluster: Cluster, directory: Path) -> float:
    """Return the wall seconds of the script."""
    scratch = directory / "script"
    scratch.mkdir()
    cluster.programs.account.own(scratch)
    environment = {
        "PATH": os.environ["PATH"],
        "B": str(backups),
        "D": str(scratch / "d"),
        "P": str(cluster.programs.installation.directory),
        "LC_ALL": "C.UTF-8",
    }
    identity = cluster.programs.account.popen_arguments()
    started = time.monotonic()
    subprocess.run(
        ["bash", "-c", SCRIPT], env=environment, check=True, stdout=subprocess.DEVNULL, **identity
    )
    seconds = time.monotonic() - started
    shutil.rmtree(scratch)
    return seconds


def run_drill(
    backups: Path, directory: Path, runtime: Mapping[str, str] = LOCAL
) -> tuple[float, dict[str, float]]:
    """Return the wall seconds of a whole pytest run in one kind of sandbox, and the seconds of its phases."""
    project = directory / "project"
    project.mkdir()
    (project / "pgrestore.toml").write_text(CONFIG.replace("{backups}", str(backups)))
    (project / "test_bench.py").write_text(TEST)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--rootdir={project}",
        "-c",
        "/dev/null",
    ]
    environment = {**os.environ, "PGRESTORE_SANDBOX_DIRECTORY": str(directory), **runtime}
    started = time.monotonic()
    subprocess.run(command, cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    evidence = json.loads((project / "pgrestore-report" / "evidence.json").read_text())
    shutil.rmtree(project)
    return seconds, {phase["name"]: phase["seconds"] for phase in evidence["drills"][0]["phases"]}


def main() -> None:
    """Build once, run in pairs, print the medians."""
    parser = argparse.ArgumentParser(description="a drill against the usual shell script")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--scale", type=int, default=70)
    arguments = parser.parse_args()
    directory = short_directory()
    try:
        backups, cluster = build(directory, arguments.scale)
        size = sum(path.stat().st_size for path in backups.rglob("*") if path.is_file())
        print(
            f"backup and archive: {size / GIB:.2f} GiB, PostgreSQL {MAJOR}, {os.cpu_count()} cores"
        )
        pairs = []
        for number in range(arguments.pairs + 1):
            script = run_script(backups, cluster, directory)
            drill, phases = run_drill(backups, directory)
            ours = sum(seconds for name, seconds in phases.items() if name not in WORK)
            if number:  # the first pair warms the cache
                pairs.append((script, drill, ours, sum(phases[name] for name in RESTORE)))
                print(
                    f"pair {number}: script {script:.2f} s, drill {drill:.2f} s, ratio {drill / script:.2f}"
                )
                print(
                    "   " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in phases.items())
                )
        for title, values in (
            ("restore / script", [restore / script for script, _, _, restore in pairs]),
            ("whole pytest run / script", [drill / script for script, drill, _, _ in pairs]),
            (
                "added by the plugin outside fetch, start, replay and promote, seconds",
                [pair[2] for pair in pairs],
            ),
        ):
            print(
                f"{title}: median {statistics.median(values):.2f}, {min(values):.2f} to {max(values):.2f}"
            )
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
