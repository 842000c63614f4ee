"""Backup tools as their manuals say, without us: restored, started and asked by hand."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pytest_pgrestore.demo.cluster import PORT
from tests.real import local_tools
from tests.real.local_tools import LocalTool, Place

DATABASE = "bench"
POLL_SECONDS = 0.05
DEADLINE_SECONDS = 120.0
CORES = os.cpu_count() or 1

SETTINGS = ("archive_mode=off", "hot_standby=off", "listen_addresses=")
"""As the drill's server has them."""


def fresh(place: Place) -> Path:
    """Return an empty data directory in a directory of its own."""
    scratch = place.directory / "bare"
    scratch.mkdir()
    place.cluster.programs.account.own(scratch)
    data = scratch / "d"
    data.mkdir(mode=0o700)
    place.cluster.programs.account.own(data)
    return data


def start_and_ask(place: Place, data: Path, settings: Sequence[str] = ()) -> None:
    """Start a server on `data`, wait for the end of recovery, ask it once."""
    options = " ".join(
        f"-c '{setting}'" for setting in (*SETTINGS, f"unix_socket_directories={data.parent}")
    )
    options += "".join(f" -c '{setting}'" for setting in settings)
    log = data.parent / "server.log"
    start = ("pg_ctl", "-D", str(data), "-l", str(log), "-s", "-W", "start", "-o", options)
    place.try_run(*start).check_returncode()
    question = ("psql", "-h", str(data.parent), "-p", str(PORT), "-U", "postgres", "-Atc")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while place.try_run(*question, "select count(*) from pgbench_history", DATABASE).returncode:
        if time.monotonic() > deadline:
            raise TimeoutError(log.read_text())
        time.sleep(POLL_SECONDS)


def remove(place: Place, data: Path) -> None:
    """Stop the server on `data`, and remove it."""
    place.run("pg_ctl", "-D", str(data), "-s", "-m", "immediate", "-w", "stop")
    shutil.rmtree(data.parent)


class BareTool(LocalTool, Protocol):
    """One backup tool, which restores too."""

    def version(self, place: Place) -> str:
        """Return its name and version."""
        ...

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        """Restore the newest backup; return the settings that recover to the newest point."""
        ...


class Pgbackrest(local_tools.Pgbackrest):
    """A stanza in a posix repository."""

    def version(self, place: Place) -> str:
        """Return its name and version."""
        return place.run("pgbackrest", "version").stdout.strip()

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        """Restore; it writes its own `restore_command`."""
        self.run(place, data, "restore", f"--pg1-path={data}", "--archive-mode=off")
        return ()

    def segments(self, place: Place) -> tuple[str, ...]:
        """Return the names of the WAL from the start of the backup on."""
        found = json.loads(self.run(place, place.cluster.data, "info", "--output=json").stdout)[0]
        first, last = found["backup"][-1]["archive"]["start"], found["archive"][0]["max"]
        names = sorted(
            path.name[:24] for path in (place.directory / self.kept / "archive").glob("*/*/*/0*-*")
        )
        return tuple(name for name in names if first <= name <= last)


class Walg(local_tools.Walg):
    """A directory as its storage."""

    def version(self, place: Place) -> str:
        """Return its name and version."""
        return " ".join(place.run("wal-g", "--version").stdout.split()[:3])

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        """Fetch, and fetch WAL when replay asks for it."""
        self.run(place, "backup-fetch", str(data), "LATEST")
        (data / "recovery.signal").touch()
        return (
            f'restore_command=WALG_FILE_PREFIX={place.directory}/store wal-g wal-fetch "%f" "%p"',
        )


class Barman(local_tools.Barman):
    """A Barman home on this machine, backups by pg_basebackup."""

    def version(self, place: Place) -> str:
        """Return its name and version."""
        return "Barman " + place.run("barman", "--version").stdout.split()[0]

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        """Recover; it copies the WAL too."""
        data.rmdir()
        jobs = ("--jobs", str(CORES))
        self.run(place, "recover", *jobs, self.server, "latest", str(data))
        return ()


def build(tool: BareTool, directory: Path, scale: int, transactions: int) -> Place:
    """Back a server up, and archive the WAL of a load behind it."""
    with local_tools.archiving(tool, directory, {"max_wal_size": "4GB"}) as place:
        cluster = place.cluster

        def load() -> None:
            cluster.sql(f"create database {DATABASE}")
            cluster.client("pgbench", "--initialize", "--quiet", f"--scale={scale}", DATABASE)

        def more() -> None:
            count = ("--client=2", f"--transactions={transactions}", "--no-vacuum")
            cluster.client("pgbench", *count, DATABASE)

        local_tools.back_up_between(tool, place, load, more)
    return place
