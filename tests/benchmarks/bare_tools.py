"""Backup tools used as in their manuals: restore, start the server and query it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pytest_pgrestore.demo.cluster import PORT
from tests.real import local_tools

DATABASE = "bench"
POLL_SECONDS = 0.05
DEADLINE_SECONDS = 120.0
CORES = os.cpu_count() or 1

SETTINGS = ("archive_mode=off", "hot_standby=off", "listen_addresses=")
"""The same as of the server in a drill."""


@dataclass(frozen=True)
class Place(local_tools.Place):
    """A server with backups, and a directory for restores. The server is stopped."""

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
        log = data.parent / "server.log"
        self.run("pg_ctl", "-D", str(data), "-l", str(log), "-s", "-W", "start", "-o", options)
        self._query(data, "select count(*) from pgbench_history")

    def _query(self, data: Path, query: str) -> None:
        """Repeat `query` until the server on `data` answers: it refuses all before that."""
        server = f"host={data.parent} port={PORT} user=postgres dbname={DATABASE}"
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (done := self.try_run("psql", "-Atc", query, server)).returncode != 0:
            if time.monotonic() > deadline:
                done.check_returncode()
            time.sleep(POLL_SECONDS)

    def remove(self, data: Path) -> None:
        """Stop the server on `data`, and remove it."""
        self.run("pg_ctl", "-D", str(data), "-s", "-m", "immediate", "-w", "stop")
        shutil.rmtree(data.parent)


class BareTool(local_tools.LocalTool, Protocol):
    """One backup tool, which restores too."""

    def version(self, place: Place) -> str:
        """Return its name and version."""
        ...

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        """Restore the newest backup; return settings for a recovery to the newest point."""
        ...


class Pgbackrest(local_tools.Pgbackrest):
    """A pgBackRest stanza in a posix repository."""

    def version(self, place: Place) -> str:
        return place.run("pgbackrest", "version").stdout.strip()

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        self.run(place, data, "restore", f"--pg1-path={data}", "--archive-mode=off")
        return ()

    def segments(self, place: Place) -> tuple[str, ...]:
        """Return the names of the WAL segments that a restore of the newest backup needs."""
        stanza = json.loads(self.run(place, place.cluster.data, "info", "--output=json").stdout)[0]
        first, last = stanza["backup"][-1]["archive"]["start"], stanza["archive"][0]["max"]
        # archive/<stanza>/<version>/<first 16 digits>/<segment>-<checksum>
        files = (place.directory / self.kept / "archive").glob("*/*/*/0*-*")
        names = sorted(path.name[:24] for path in files)
        return tuple(name for name in names if first <= name <= last)


class Walg(local_tools.Walg):
    """WAL-G with a directory as its storage."""

    def version(self, place: Place) -> str:
        return " ".join(place.run("wal-g", "--version").stdout.split()[:3])

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        self.run(place, "backup-fetch", str(data), "LATEST")
        (data / "recovery.signal").touch()
        storage = f"WALG_FILE_PREFIX={place.directory}/{self.kept}"
        return (f'restore_command={storage} wal-g wal-fetch "%f" "%p"',)


class Barman(local_tools.Barman):
    """A Barman home on this machine, with backups by pg_basebackup."""

    def version(self, place: Place) -> str:
        return "Barman " + place.run("barman", "--version").stdout.split()[0]

    def restore(self, place: Place, data: Path) -> Sequence[str]:
        data.rmdir()
        self.run(place, "recover", "--jobs", str(CORES), self.server, "latest", str(data))
        return ()


def build(tool: BareTool, directory: Path, scale: int, transactions: int) -> Place:
    """Back up a server, and archive the WAL of some load after the backup."""
    with local_tools.archiving(tool, directory, {"max_wal_size": "4GB"}) as place:
        pgbench = place.cluster.client
        count = f"--transactions={transactions}"
        place.cluster.sql(f"create database {DATABASE}")
        local_tools.back_up_between(
            tool,
            place,
            lambda: pgbench("pgbench", "--initialize", "--quiet", f"--scale={scale}", DATABASE),
            lambda: pgbench("pgbench", "--client=2", count, "--no-vacuum", DATABASE),
        )
    return Place(place.directory, place.cluster)
