"""Backup tools as their manuals say, without us: a server backed up, and restored, started and asked by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pytest_pgrestore.demo.cluster import PORT, Cluster

MAJOR = 15
"""What the pgBackRest and the Barman of Debian 12 know."""

NAME = "bench"
POLL_SECONDS = 0.05
DEADLINE_SECONDS = 120.0
CORES = os.cpu_count() or 1

SETTINGS = ("archive_mode=off", "hot_standby=off", "listen_addresses=")
"""As the drill's server has them."""


@dataclass(frozen=True)
class Place:
    """A server that is backed up, and room for what is restored of it.

    Attributes:
        directory: Holds the configuration, the backups, and what is restored.
        cluster: The server, stopped when the backups are made.
    """

    directory: Path
    cluster: Cluster

    def run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user; it must succeed."""
        account = self.cluster.programs.account
        environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.directory),
            **more,
        }
        return subprocess.run(
            argv,
            env=environment,
            check=True,
            text=True,
            capture_output=True,
            **account.popen_arguments(),
        )

    def fresh(self) -> Path:
        """Return an empty data directory in a directory of its own."""
        scratch = self.directory / "bare"
        scratch.mkdir()
        self.cluster.programs.account.own(scratch)
        data = scratch / "d"
        data.mkdir(mode=0o700)
        self.cluster.programs.account.own(data)
        return data

    def start_and_ask(self, data: Path, settings: Sequence[str] = ()) -> None:
        """Start a server on `data`, wait for the end of recovery, ask it once."""
        options = " ".join(
            f"-c '{setting}'" for setting in (*SETTINGS, f"unix_socket_directories={data.parent}")
        )
        options += "".join(f" -c '{setting}'" for setting in settings)
        bindir = self.cluster.programs.installation.directory
        log = data.parent / "server.log"
        self.run(
            f"{bindir}/pg_ctl", "-D", str(data), "-l", str(log), "-s", "-W", "start", "-o", options
        )
        question = (
            f"{bindir}/psql",
            "-h",
            str(data.parent),
            "-p",
            str(PORT),
            "-U",
            "postgres",
            "-Atc",
        )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                self.run(*question, "select count(*) from pgbench_history", NAME)
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return

    def remove(self, data: Path) -> None:
        """Stop the server on `data`, and remove it."""
        bindir = self.cluster.programs.installation.directory
        self.run(f"{bindir}/pg_ctl", "-D", str(data), "-s", "-m", "immediate", "-w", "stop")
        shutil.rmtree(data.parent)


class BareTool(Protocol):
    """One backup tool.

    Attributes:
        source: What a settings file says of it; ``{directory}`` is the place's.
        kept: Directory of its backups, below the place's.
    """

    source: str
    kept: str

    def version(self, place: Place) -> str:
        """Return its name and version."""
        ...

    def archive_command(self, place: Place) -> str:
        """Return what archives a segment."""
        ...

    def prepare(self, place: Place) -> None:
        """Lay out its configuration and its repository, while the server runs and does not archive yet."""
        ...

    def back_up(self, place: Place) -> None:
        """Take a full backup."""
        ...

    def catch_up(self, place: Place) -> None:
        """Put away what was archived."""
        ...

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        """Restore the newest backup; return the settings that recovery takes to the newest point."""
        ...


class Pgbackrest:
    """A stanza in a posix repository."""

    source = f'[sources.{NAME}]\ntype = "pgbackrest"\nstanza = "{NAME}"\nconfig = "{{directory}}/pgbackrest.conf"\n'
    kept = "repo"

    def version(self, place: Place) -> str:
        return place.run("pgbackrest", "version").stdout.strip()

    def archive_command(self, place: Place) -> str:
        return (
            f"pgbackrest --config={place.directory}/pgbackrest.conf --stanza={NAME} archive-push %p"
        )

    def prepare(self, place: Place) -> None:
        (place.directory / "pgbackrest.conf").write_text(
            f"""[global]
repo1-path={place.directory}/repo
repo1-retention-full=9
repo1-bundle=y
compress-type=zst
start-fast=y
lock-path={place.directory}/lock
spool-path={place.directory}/spool
log-level-file=off
[{NAME}]
pg1-path={place.cluster.data}
pg1-socket-path={place.cluster.data.parent}
pg1-user=postgres
"""
        )
        self.run(place, place.cluster.data, "stanza-create")

    def back_up(self, place: Place) -> None:
        self.run(place, place.cluster.data, "backup", "--type=full")

    def catch_up(self, place: Place) -> None:
        """Nothing: it pushes into its repository."""

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        self.run(place, data, "restore", f"--pg1-path={data}", "--archive-mode=off")
        return ()

    def run(
        self, place: Place, data: Path, command: str, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of it for a data directory."""
        options = (f"--config={place.directory}/pgbackrest.conf", f"--stanza={NAME}", *arguments)
        return place.run(
            "pgbackrest",
            command,
            *options,
            PGBACKREST_PG1_PATH=str(data),
            PGBACKREST_PROCESS_MAX=str(CORES),
        )

    def segments(self, place: Place) -> tuple[str, ...]:
        """Return the names of the WAL from the start of the backup on."""
        found = json.loads(self.run(place, place.cluster.data, "info", "--output=json").stdout)[0]
        first, last = found["backup"][-1]["archive"]["start"], found["archive"][0]["max"]
        names = sorted(
            path.name[:24] for path in (place.directory / self.kept / "archive").glob("*/*/*/0*-*")
        )
        return tuple(name for name in names if first <= name <= last)


class Walg:
    """A directory as its storage."""

    source = f'[sources.{NAME}]\ntype = "walg"\nenv = {{{{ WALG_FILE_PREFIX = "{{directory}}/store" }}}}\n'
    kept = "store"

    def version(self, place: Place) -> str:
        return " ".join(place.run("wal-g", "--version").stdout.split()[:3])

    def archive_command(self, place: Place) -> str:
        return f"WALG_FILE_PREFIX={place.directory}/store wal-g wal-push %p"

    def prepare(self, place: Place) -> None:
        place.run("mkdir", str(place.directory / "store"))

    def back_up(self, place: Place) -> None:
        self.run(place, "backup-push", str(place.cluster.data))

    def catch_up(self, place: Place) -> None:
        """Nothing: it pushes into its storage."""

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        self.run(place, "backup-fetch", str(data), "LATEST")
        (data / "recovery.signal").touch()
        return (
            f'restore_command=WALG_FILE_PREFIX={place.directory}/store wal-g wal-fetch "%f" "%p"',
        )

    def run(self, place: Place, *arguments: str) -> None:
        """Run a command of it."""
        place.run(
            "wal-g",
            *arguments,
            WALG_FILE_PREFIX=str(place.directory / "store"),
            WALG_DOWNLOAD_CONCURRENCY=str(CORES),
            PGHOST=str(place.cluster.data.parent),
            PGPORT=str(PORT),
            PGUSER="postgres",
        )


class Barman:
    """A Barman home on this machine, backups by pg_basebackup."""

    source = f'[sources.{NAME}]\ntype = "barman"\nserver = "{NAME}"\nconfig = "{{directory}}/barman.conf"\n'
    kept = "home"

    def version(self, place: Place) -> str:
        return "Barman " + place.run("barman", "--version").stdout.split()[0]

    def archive_command(self, place: Place) -> str:
        incoming = place.directory / "home" / NAME / "incoming"
        return f"cp %p {incoming}/.%f && mv {incoming}/.%f {incoming}/%f"

    def prepare(self, place: Place) -> None:
        socket = place.cluster.data.parent
        conninfo = f"host={socket} port={PORT} user=postgres dbname=postgres"
        (place.directory / "barman.conf").write_text(
            f"""[barman]
barman_user = {place.cluster.programs.account.name}
barman_home = {place.directory}/home
log_file = {place.directory}/barman.log
path_prefix = {place.cluster.programs.installation.directory}
[{NAME}]
description = "a benchmark"
conninfo = {conninfo}
streaming_conninfo = {conninfo}
backup_method = postgres
archiver = on
immediate_checkpoint = true
"""
        )
        place.run("mkdir", "-p", str(place.directory / "home" / NAME / "incoming"))

    def back_up(self, place: Place) -> None:
        self.run(place, "backup", NAME)

    def catch_up(self, place: Place) -> None:
        self.run(place, "archive-wal", NAME)

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        data.rmdir()
        self.run(place, "recover", "--jobs", str(CORES), NAME, "latest", str(data))
        return ()

    def run(self, place: Place, *arguments: str) -> None:
        """Run a command of it."""
        place.run("barman", f"--config={place.directory}/barman.conf", *arguments)


def build(tool: BareTool, directory: Path, scale: int, transactions: int) -> Place:
    """Back a server up, and archive the WAL of a load behind it."""
    settings = {"max_wal_size": "4GB", "archive_command": "false"}
    cluster = Cluster.create(directory / "c", MAJOR, wal_segment_mib=16, settings=settings)
    cluster.programs.account.own(directory)
    place = Place(directory, cluster)
    with cluster:
        tool.prepare(place)
        cluster.stop()
        cluster.start({**settings, "archive_command": tool.archive_command(place)})
        cluster.sql(f"create database {NAME}")
        cluster.client("pgbench", "--initialize", "--quiet", f"--scale={scale}", NAME)
        _switch(cluster)
        tool.catch_up(place)
        tool.back_up(place)
        cluster.client(
            "pgbench", "--client=2", f"--transactions={transactions}", "--no-vacuum", NAME
        )
        _switch(cluster)
        tool.catch_up(place)
    return place


def _switch(cluster: Cluster) -> None:
    """Close the current segment, and wait until it was archived."""
    name = cluster.value("select pg_walfile_name(pg_switch_wal())")
    while not cluster.value("select last_archived_wal >= %s from pg_stat_archiver", name):
        time.sleep(POLL_SECONDS)
