"""Backup tools used as in their manuals: back up a server, restore it, start it and query it."""

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
"""The newest major that pgBackRest and Barman of Debian 12 support."""

NAME = "bench"
POLL_SECONDS = 0.05
DEADLINE_SECONDS = 120.0
CORES = os.cpu_count() or 1

SETTINGS = ("archive_mode=off", "hot_standby=off", "listen_addresses=")
"""The same as of the server in a drill."""


@dataclass(frozen=True)
class Place:
    """A server with backups, and a directory for restores.

    Attributes:
        directory: Holds the configuration, the backups and the restored copies.
        cluster: The server, stopped after its backups.
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

    def start_and_query(self, data: Path, settings: Sequence[str] = ()) -> None:
        """Start a server on `data`, and query it until recovery has ended."""
        given = (*SETTINGS, f"unix_socket_directories={data.parent}", *settings)
        options = " ".join(f"-c '{setting}'" for setting in given)
        bindir = self.cluster.programs.installation.directory
        log = data.parent / "server.log"
        self.run(
            f"{bindir}/pg_ctl", "-D", str(data), "-l", str(log), "-s", "-W", "start", "-o", options
        )
        self._query(data, "select count(*) from pgbench_history")

    def _query(self, data: Path, query: str) -> None:
        """Repeat `query` until the server on `data` answers: it refuses all before that."""
        program = f"{self.cluster.programs.installation.directory}/psql"
        server = f"host={data.parent} port={PORT} user=postgres dbname={NAME}"
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                self.run(program, "-Atc", query, server)
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
        source: Its table in a settings file; ``{directory}`` stands for `Place.directory`.
        kept: Name of its repository in `Place.directory`.
    """

    source: str
    kept: str

    def version(self, place: Place) -> str:
        """Return its name and version."""
        ...

    def archive_command(self, place: Place) -> str:
        """Return the `archive_command`."""
        ...

    def prepare(self, place: Place) -> None:
        """Create configuration and repository. The server runs, but does not archive yet."""
        ...

    def back_up(self, place: Place) -> None:
        """Take a full backup."""
        ...

    def catch_up(self, place: Place) -> None:
        """Move archived WAL into the repository, if the tool does not do it itself."""
        ...

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        """Restore the newest backup; return settings for a recovery to the newest point."""
        ...


class Pgbackrest:
    """A pgBackRest stanza in a posix repository."""

    source = f"""[sources.{NAME}]
type = "pgbackrest"
stanza = "{NAME}"
config = "{{directory}}/pgbackrest.conf"
"""
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
        """Run a command of pgBackRest for a data directory."""
        options = (f"--config={place.directory}/pgbackrest.conf", f"--stanza={NAME}", *arguments)
        return place.run(
            "pgbackrest",
            command,
            *options,
            PGBACKREST_PG1_PATH=str(data),
            PGBACKREST_PROCESS_MAX=str(CORES),
        )

    def segments(self, place: Place) -> tuple[str, ...]:
        """Return the names of the WAL segments that a restore of the newest backup needs."""
        stanza = json.loads(self.run(place, place.cluster.data, "info", "--output=json").stdout)[0]
        first, last = stanza["backup"][-1]["archive"]["start"], stanza["archive"][0]["max"]
        # archive/<stanza>/<version>/<first 16 digits>/<segment>-<checksum>
        files = (place.directory / self.kept / "archive").glob("*/*/*/0*-*")
        names = sorted(path.name[:24] for path in files)
        return tuple(name for name in names if first <= name <= last)


class Walg:
    """WAL-G with a directory as its storage."""

    source = f"""[sources.{NAME}]
type = "walg"
env = {{ WALG_FILE_PREFIX = "{{directory}}/store" }}
"""
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
        """Run a command of the tool."""
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
    """A Barman home on this machine, with backups by pg_basebackup."""

    source = f"""[sources.{NAME}]
type = "barman"
server = "{NAME}"
config = "{{directory}}/barman.conf"
"""
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
        """Run a command of the tool."""
        place.run("barman", f"--config={place.directory}/barman.conf", *arguments)


def build(tool: BareTool, directory: Path, scale: int, transactions: int) -> Place:
    """Back up a server, and archive the WAL of some load after the backup."""
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
    """Close the current segment, and wait until it is archived."""
    name = cluster.value("select pg_walfile_name(pg_switch_wal())")
    while not cluster.value("select last_archived_wal >= %s from pg_stat_archiver", name):
        time.sleep(POLL_SECONDS)
