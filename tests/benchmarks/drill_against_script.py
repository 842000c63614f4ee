"""A drill against the usual shell script, on the same base backup of at least 1 GB, in pairs.

    .venv/bin/python -m tests.benchmarks.drill_against_script [--pairs N] [--scale S]

Prints for each pair the wall time of the script, that of a whole `pytest` run with the same count
as its assertion, their ratio, and what the plugin adds outside the phases that do the work. The
ratios are the result: seconds are valid on one machine only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.benchmarks.figures import GIB, options, print_median, print_phases, size_bytes

MAJOR = 17
WORK = ("fetch", "start", "replay", "promote")
"""Phases in which PostgreSQL and the disk work; the plugin takes the rest of the time."""

RESTORE = (*WORK, "configure", "ready")
"""Phases that count toward the RTO: from the first byte copied to the first query answered."""

# The end of recovery is checked by a query. pg_isready succeeds as soon as the server accepts
# connections, which is before the end of recovery on a hot standby: the count would be too low.
SCRIPT = """
set -e
mkdir -m 700 "$D" "$D.s"
cp -a "$B/base/." "$D/"
rm -rf "$D"/pg_wal/0*
echo "restore_command = 'cp $B/archive/%f %p'" >> "$D/postgresql.auto.conf"
touch "$D/recovery.signal"
o="-c listen_addresses='' -c unix_socket_directories=$D.s -c archive_mode=off -c hot_standby=off"
"$P/pg_ctl" -D "$D" -l "$D.log" -s -W start -o "$o"
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
    """Make a base backup and WAL after it.

    Returns:
        The directory with ``base`` and ``archive``, and the stopped cluster.
    """
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


def print_machine(backups: Path) -> None:
    """Print what the figures depend on."""
    size = size_bytes(backups) / GIB
    print(f"backup and archive: {size:.2f} GiB, PostgreSQL {MAJOR}, {os.cpu_count()} cores")


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
    config: str, directory: Path, runtime: Mapping[str, str] = LOCAL
) -> tuple[float, dict[str, float]]:
    """Run pytest with one drill.

    Args:
        config: The settings file, with a source ``bench``.
        directory: For the project and the copy.
        runtime: Environment variables that choose the kind of sandbox.

    Returns:
        Wall seconds of the whole run, and the seconds of each phase.
    """
    project = directory / "project"
    project.mkdir()
    (project / "pgrestore.toml").write_text(config)
    (project / "test_bench.py").write_text(TEST)
    alone = ["-p", "no:cacheprovider", f"--rootdir={project}", "-c", "/dev/null"]
    environment = {**os.environ, "PGRESTORE_SANDBOX_DIRECTORY": str(directory), **runtime}
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *alone],
        cwd=project,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.monotonic() - started
    evidence = json.loads((project / "pgrestore-report" / "evidence.json").read_text())
    shutil.rmtree(project)
    return seconds, {phase["name"]: phase["seconds"] for phase in evidence["drills"][0]["phases"]}


def added(phases: Mapping[str, float]) -> float:
    """Return the seconds that the plugin adds to the phases that do the work."""
    return sum(seconds for name, seconds in phases.items() if name not in WORK)


def compare(backups: Path, cluster: Cluster, directory: Path, pairs: int) -> None:
    """Run the pairs; print each of them, then the medians."""
    config, figures = CONFIG.format(backups=backups), []
    for number in range(pairs + 1):
        script = run_script(backups, cluster, directory)
        drill, phases = run_drill(config, directory)
        if number == 0:
            continue  # the first pair warms the cache
        restore = sum(phases[name] for name in RESTORE)
        figures.append((restore / script, drill / script, added(phases)))
        ratio = drill / script
        print(f"pair {number}: script {script:.2f} s, drill {drill:.2f} s, ratio {ratio:.2f}")
        print_phases(phases)
    titles = (
        "restore / script",
        "whole pytest run / script",
        "added by the plugin outside fetch, start, replay and promote, seconds",
    )
    for title, values in zip(titles, zip(*figures, strict=True), strict=True):
        print_median(title, values)


def main() -> None:
    """Build once, run in pairs."""
    parser = options("a drill against the usual shell script", pairs=5, scale=70)
    arguments = parser.parse_args()
    directory = short_directory()
    try:
        backups, cluster = build(directory, arguments.scale)
        print_machine(backups)
        compare(backups, cluster, directory, arguments.pairs)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
