"""A drill of a pgBackRest repository against the bare tool, and WAL brought ahead against one at a time; in pairs.

    .venv/bin/python -m tests.benchmarks.pgbackrest_drill [--pairs N] [--scale S] [--transactions T]

The bare tool is what its manual says: `restore`, start the server, ask until it answers; its own `restore_command`
fetches a segment at a time. Both restore the same repository, on this machine, with as many processes as cores. Ratios
are the result; seconds hold on one machine only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pytest_pgrestore.lab.cluster import PORT, Cluster, short_directory
from tests.benchmarks import drill_against_script
from tests.benchmarks.drill_against_script import RESTORE, run_drill

MAJOR = 15
"""What the pgBackRest of Debian 12 knows."""

STANZA = "bench"
MIB = 1024**2
POLL_SECONDS = 0.05
DEADLINE_SECONDS = 120.0
CORES = os.cpu_count() or 1

CONFIG = """
[global]
repo1-path={directory}/repo
repo1-retention-full=9
repo1-bundle=y
compress-type=zst
start-fast=y
lock-path={directory}/lock
spool-path={directory}/spool
log-level-file=off
[{stanza}]
pg1-path={data}
pg1-socket-path={socket}
pg1-user=postgres
"""

SOURCE = """
[sources.bench]
type = "pgbackrest"
stanza = "bench"
config = "{backups}/pgbackrest.conf"
database = "bench"
"""

SETTINGS = ("archive_mode=off", "hot_standby=off", "listen_addresses=")
"""As the drill's server has them."""


@dataclass(frozen=True)
class Repository:
    """A repository, and what runs programs as the server's user.

    Attributes:
        directory: Holds the configuration and the repository.
        cluster: The stopped server that was backed up.
        segments: WAL from the start of the backup on.
    """

    directory: Path
    cluster: Cluster
    segments: tuple[str, ...]

    def tool(self, data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run pgBackRest for a data directory."""
        options = (f"--config={self.directory}/pgbackrest.conf", f"--stanza={STANZA}")
        return self.run("pgbackrest", *arguments[:1], *options, *arguments[1:], PGBACKREST_PG1_PATH=str(data))

    def run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program; it must succeed."""
        account = self.cluster.tools.account
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PGBACKREST_PROCESS_MAX": str(CORES), **more}
        return subprocess.run(
            argv, env=environment, check=True, text=True, capture_output=True, **account.popen_arguments()
        )

    def restore_command(self, data: Path, *options: str) -> str:
        """Return what fetches one segment."""
        given = " ".join((f"--config={self.directory}/pgbackrest.conf", f"--stanza={STANZA}", *options))
        return f'pgbackrest {given} --pg1-path={data} archive-get %f "%p"'

    def start_and_ask(self, data: Path, *settings: str) -> None:
        """Start a server on `data`, wait for the end of recovery, ask it once."""
        options = " ".join(f"-c '{setting}'" for setting in (*SETTINGS, f"unix_socket_directories={data.parent}"))
        options += "".join(f" -c '{setting}'" for setting in settings)
        programs = self.cluster.tools.binaries.directory
        log = data.parent / "server.log"
        self.run(f"{programs}/pg_ctl", "-D", str(data), "-l", str(log), "-s", "-W", "start", "-o", options)
        question = (f"{programs}/psql", "-h", str(data.parent), "-p", str(PORT), "-U", "postgres", "-Atc")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                self.run(*question, "select count(*) from pgbench_history", "bench")
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return

    def stop(self, data: Path) -> None:
        """Stop the server on `data`."""
        programs = self.cluster.tools.binaries.directory
        self.run(f"{programs}/pg_ctl", "-D", str(data), "-s", "-m", "immediate", "-w", "stop")


def build(directory: Path, scale: int, transactions: int) -> Repository:
    """Back a server up, and archive the WAL of a load behind it."""
    config = directory / "pgbackrest.conf"
    place = directory / "c"
    config.write_text(CONFIG.format(directory=directory, stanza=STANZA, data=place / "data", socket=place))
    push = f"pgbackrest --config={config} --stanza={STANZA} archive-push %p"
    settings = {"max_wal_size": "4GB", "archive_command": "false"}
    cluster = Cluster.create(place, MAJOR, wal_segment_mib=16, settings=settings)
    cluster.tools.account.own(directory)
    made = Repository(directory, cluster, ())
    with cluster:
        made.tool(cluster.data, "stanza-create")
        cluster.stop()
        cluster.start({**settings, "archive_command": push})
        cluster.sql("create database bench")
        cluster.client("pgbench", "--initialize", "--quiet", f"--scale={scale}", "bench")
        made.tool(cluster.data, "backup", "--type=full")
        cluster.client("pgbench", "--client=2", f"--transactions={transactions}", "--no-vacuum", "bench")
        name = cluster.value("select pg_walfile_name(pg_switch_wal())")
        archived = "select last_archived_wal >= %s from pg_stat_archiver"
        while not cluster.value(archived, name):
            time.sleep(POLL_SECONDS)
        found = json.loads(made.tool(cluster.data, "info", "--output=json").stdout)
    first = found[0]["backup"][-1]["archive"]["start"]
    names = sorted(path.name[:24] for path in (directory / "repo" / "archive").glob("*/*/*/0*-*"))
    return Repository(
        directory, cluster, tuple(name for name in names if first <= name <= found[0]["archive"][0]["max"])
    )


def run_bare(made: Repository) -> float:
    """Return the seconds of restore, start and first query, with the tool alone."""
    data = _fresh(made)
    started = time.monotonic()
    made.tool(data, "restore", f"--pg1-path={data}", "--archive-mode=off")
    made.start_and_ask(data)
    seconds = time.monotonic() - started
    made.stop(data)
    shutil.rmtree(data.parent)
    return seconds


def _fresh(made: Repository) -> Path:
    scratch = made.directory / "bare"
    scratch.mkdir()
    made.cluster.tools.account.own(scratch)
    data = scratch / "d"
    data.mkdir(mode=0o700)
    made.cluster.tools.account.own(data)
    return data


def one_at_a_time(made: Repository, data: Path) -> None:
    """The tool's own `restore_command`."""
    made.start_and_ask(data, f"restore_command={made.restore_command(data)}")


def one_at_a_time_async(made: Repository, data: Path) -> None:
    """The same with the tool's own prefetch."""
    spool = data.parent / "spool"
    options = ("--archive-async", f"--spool-path={spool}", f"--process-max={CORES}")
    made.start_and_ask(data, f"restore_command={made.restore_command(data, *options)}")


def by_threads(made: Repository, data: Path) -> None:
    """`archive-get` for every segment ahead of replay, as many at once as there are cores."""
    with ThreadPoolExecutor(CORES) as pool:
        list(
            pool.map(
                lambda name: made.tool(data, "archive-get", name, str(data / "pg_wal" / name)),
                made.segments,
            )
        )
    made.start_and_ask(data, "restore_command=false")


def by_workers(made: Repository, data: Path) -> None:
    """The tool's own workers ahead of replay, as the drill does."""
    spool = data.parent / "spool"
    shelf = spool / "archive" / STANZA / "in"
    shelf.mkdir(parents=True)
    for path in (spool, *spool.rglob("*")):
        made.cluster.tools.account.own(path)
    made.tool(data, "archive-get:async", "--archive-async", f"--spool-path={spool}", *made.segments)
    for name in made.segments:
        (shelf / name).rename(data / "pg_wal" / name)
    made.start_and_ask(data, "restore_command=false")


WAYS: tuple[Callable[[Repository, Path], None], ...] = (one_at_a_time, one_at_a_time_async, by_threads, by_workers)


def run_ways(made: Repository) -> list[float]:
    """Return the seconds from a restored directory to the first query, for each way to get at WAL."""
    found = []
    for way in WAYS:
        data = _fresh(made)
        made.tool(data, "restore", f"--pg1-path={data}", "--archive-mode=off")
        started = time.monotonic()
        way(made, data)
        found.append(time.monotonic() - started)
        made.stop(data)
        shutil.rmtree(data.parent)
    return found


def told(title: str, values: Sequence[float]) -> None:
    """Print one figure."""
    print(f"{title}: median {statistics.median(values):.2f}, {min(values):.2f} to {max(values):.2f}", flush=True)


def main() -> None:
    """Build once, run in pairs, print the medians."""
    parser = argparse.ArgumentParser(description="a drill against bare pgBackRest")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--scale", type=int, default=40)
    parser.add_argument("--transactions", type=int, default=40000)
    arguments = parser.parse_args()
    drill_against_script.CONFIG = SOURCE
    directory = short_directory()
    try:
        made = build(directory, arguments.scale, arguments.transactions)
        size = sum(path.stat().st_size for path in (directory / "repo").rglob("*") if path.is_file())
        version = made.run("pgbackrest", "version").stdout.strip()
        print(
            f"{version}, PostgreSQL {MAJOR}, {CORES} cores: repository of {size / MIB:.0f} MiB,"
            f" {len(made.segments)} segments of WAL behind the backup",
            flush=True,
        )
        drills, ways = [], []
        for number in range(arguments.pairs + 1):
            bare = run_bare(made)
            whole, phases = run_drill(directory, directory)
            restore = sum(phases[name] for name in RESTORE)
            each = run_ways(made)
            print(f"pair {number}: bare {bare:.2f} s, drill's restore {restore:.2f} s, whole pytest run {whole:.2f} s")
            print("   " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in phases.items()))
            print("   " + ", ".join(f"{way.__name__} {each[i]:.2f}" for i, way in enumerate(WAYS)), flush=True)
            if number:  # the first pair warms the cache
                drills.append((restore / bare, whole / bare))
                ways.append([seconds / each[0] for seconds in each])
        told("our restore / bare tool", [restore for restore, _ in drills])
        told("whole pytest run / bare tool", [whole for _, whole in drills])
        for index, way in enumerate(WAYS):
            told(f"{way.__name__} / {WAYS[0].__name__}", [each[index] for each in ways])
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
