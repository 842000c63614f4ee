"""Backup tools on this machine, used as their manuals say: no container backs a server up."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from pytest_pgrestore.demo.cluster import PORT, Cluster
from pytest_pgrestore.system.waiting import wait_until
from tests.project import ROOT

MAJOR = 15
"""The newest major that the pgBackRest and the Barman of Debian 12 know."""

DEADLINE_SECONDS = 120.0
COMMANDS = ROOT / "examples" / "command"


@dataclass(frozen=True)
class Place:
    """A server that is backed up, and room for its backups.

    Attributes:
        directory: Holds the configuration and the backups.
        cluster: The server.
    """

    directory: Path
    cluster: Cluster

    def try_run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user, whatever its status; `more` are variables of it."""
        programs = self.cluster.programs
        environment = {
            "PATH": f"{programs.installation.directory}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.directory),
            "PGHOST": str(self.cluster.directory),
            "PGPORT": str(PORT),
            "PGUSER": "postgres",
            **more,
        }
        return subprocess.run(
            argv,
            env=environment,
            check=False,
            text=True,
            capture_output=True,
            **programs.account.popen_arguments(),
        )

    def run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user; it must succeed."""
        done = self.try_run(*argv, **more)
        assert done.returncode == 0, f"{argv}: {done.stdout}\n{done.stderr}"
        return done

    def archived(self) -> None:
        """Close the current segment, and wait until it is archived."""
        query = "select coalesce(last_archived_wal >= %s, false) from pg_stat_archiver"
        # A record first: a switch at the very start of a segment does nothing.
        self.cluster.restore_point("switch")
        name: str = self.cluster.value("select pg_walfile_name(pg_switch_wal())")
        wait_until(
            lambda: bool(self.cluster.value(query, name)),
            what=f"archiving {name}",
            timeout_seconds=DEADLINE_SECONDS,
        )


class LocalTool(Protocol):
    """How one tool backs a server up.

    Attributes:
        programs: What must be on PATH.
        source: The keys of its table in a settings file; ``{directory}`` is the place's.
        kept: Directory of its backups, below the place's.
    """

    programs: ClassVar[tuple[str, ...]]
    source: ClassVar[str]
    kept: ClassVar[str]

    def archive_command(self, directory: Path) -> str:
        """Return what archives a segment; `directory` is the place's."""
        ...

    def prepare(self, place: Place) -> None:
        """Write its configuration and make its repository; the server runs."""
        ...

    def back_up(self, place: Place) -> None:
        """Take a full backup."""
        ...

    def catch_up(self, place: Place) -> None:
        """Put away what was archived."""
        ...


@dataclass(frozen=True)
class Pgbackrest:
    """A stanza in posix repositories: ``repo1``, ``repo2`` and so on."""

    repositories: int = 1

    programs: ClassVar[tuple[str, ...]] = ("pgbackrest",)
    stanza: ClassVar = "main"
    source: ClassVar = (
        'type = "pgbackrest"\nstanza = "main"\nconfig = "{directory}/pgbackrest.conf"\n'
    )
    kept: ClassVar = "repo1"

    def archive_command(self, directory: Path) -> str:
        """Push into the repository."""
        config = f"--config={directory}/pgbackrest.conf"
        return f"pgbackrest {config} --stanza={self.stanza} archive-push %p"

    def prepare(self, place: Place) -> None:
        """Create the stanza."""
        repositories = "".join(
            f"repo{number}-path={place.directory}/repo{number}\n"
            f"repo{number}-retention-full=9\n"
            f"repo{number}-bundle=y\n"
            for number in self._numbers()
        )
        (place.directory / "pgbackrest.conf").write_text(
            f"""[global]
{repositories}compress-type=zst
start-fast=y
lock-path={place.directory}/lock
spool-path={place.directory}/spool
log-level-file=off
[{self.stanza}]
pg1-path={place.cluster.data}
pg1-socket-path={place.cluster.directory}
pg1-user=postgres
"""
        )
        self.run(place, place.cluster.data, "stanza-create")

    def back_up(self, place: Place) -> None:
        """Take a full backup into each repository."""
        for number in self._numbers():
            self.run(place, place.cluster.data, "backup", "--type=full", f"--repo={number}")

    def catch_up(self, place: Place) -> None:
        """Do nothing: the server pushes into the repository."""

    def run(
        self, place: Place, data: Path, command: str, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of it for a data directory."""
        return place.run(
            "pgbackrest",
            command,
            f"--config={place.directory}/pgbackrest.conf",
            f"--stanza={self.stanza}",
            *arguments,
            PGBACKREST_PG1_PATH=str(data),
            PGBACKREST_PROCESS_MAX=str(os.cpu_count() or 1),
        )

    def _numbers(self) -> range:
        return range(1, self.repositories + 1)


class Walg:
    """A directory as its storage."""

    programs: ClassVar[tuple[str, ...]] = ("wal-g",)
    source: ClassVar = 'type = "walg"\nenv = { WALG_FILE_PREFIX = "{directory}/store" }\n'
    kept: ClassVar = "store"

    def archive_command(self, directory: Path) -> str:
        """Push into the storage."""
        return f"WALG_FILE_PREFIX={directory}/{self.kept} wal-g wal-push %p"

    def prepare(self, place: Place) -> None:
        """Make the directory."""
        place.run("mkdir", str(place.directory / self.kept))

    def back_up(self, place: Place) -> None:
        """Take a full backup."""
        self.run(place, "backup-push", str(place.cluster.data))

    def catch_up(self, place: Place) -> None:
        """Do nothing: the server pushes into the storage."""

    def run(self, place: Place, *arguments: str) -> None:
        """Run a command of it."""
        place.run(
            "wal-g",
            *arguments,
            WALG_FILE_PREFIX=str(place.directory / self.kept),
            WALG_DOWNLOAD_CONCURRENCY=str(os.cpu_count() or 1),
        )


class Barman:
    """A Barman home, with backups by pg_basebackup."""

    programs: ClassVar[tuple[str, ...]] = ("barman",)
    server: ClassVar = "shop"
    source: ClassVar = 'type = "barman"\nserver = "shop"\nconfig = "{directory}/barman.conf"\n'
    kept: ClassVar = "home"

    def archive_command(self, directory: Path) -> str:
        """Copy to where Barman collects WAL; a segment appears there when it is whole."""
        incoming = directory / self.kept / self.server / "incoming"
        return f"cp %p {incoming}/.%f && mv {incoming}/.%f {incoming}/%f"

    def prepare(self, place: Place) -> None:
        """Write a configuration of one server."""
        conninfo = f"host={place.cluster.directory} port={PORT} user=postgres dbname=postgres"
        (place.directory / "barman.conf").write_text(
            f"""[barman]
barman_user = {place.cluster.programs.account.name}
barman_home = {place.directory}/{self.kept}
log_file = {place.directory}/barman.log
path_prefix = {place.cluster.programs.installation.directory}
[{self.server}]
description = "the shop"
conninfo = {conninfo}
streaming_conninfo = {conninfo}
backup_method = postgres
archiver = on
immediate_checkpoint = true
"""
        )
        place.run("mkdir", "-p", str(place.directory / self.kept / self.server / "incoming"))

    def back_up(self, place: Place) -> None:
        """Take a backup."""
        self.run(place, "backup", self.server)

    def catch_up(self, place: Place) -> None:
        """Put the segments that arrived in their places."""
        self.run(place, "archive-wal", self.server)

    def run(self, place: Place, *arguments: str) -> None:
        """Run a command of it."""
        place.run("barman", f"--config={place.directory}/barman.conf", *arguments)


class Commands:
    """The scripts of examples/command, which copy with rsync."""

    programs: ClassVar[tuple[str, ...]] = ("rsync",)
    source: ClassVar = """type = "command"
list = ["sh", "{directory}/commands/list"]
fetch = ["sh", "{directory}/commands/fetch", "{backup}", "{data}"]
wal_list = ["ls", "{directory}/wal"]
wal_fetch = ["sh", "{directory}/commands/wal", "{file}", "{path}"]
env = { SHOP_BACKUPS = "{directory}/backups", SHOP_WAL = "{directory}/wal" }
verify = false
"""
    kept: ClassVar = "backups"

    def archive_command(self, directory: Path) -> str:
        """Copy the segment."""
        return f"cp %p {directory}/wal/%f"

    def prepare(self, place: Place) -> None:
        """Copy the scripts to where the server's user may read them, and make both directories."""
        shutil.copytree(COMMANDS, place.directory / "commands")
        place.run("mkdir", str(place.directory / self.kept), str(place.directory / "wal"))

    def back_up(self, place: Place) -> None:
        """Take a backup by the example's own script."""
        script = str(place.directory / "commands" / "take-backup")
        place.run("sh", script, str(place.cluster.data), str(place.directory / self.kept))

    def catch_up(self, place: Place) -> None:
        """Do nothing: the server copies to where the scripts look."""


def require(tool: LocalTool) -> None:
    """Skip where a program is missing; in CI only WAL-G may be, which no registry has."""
    for program in tool.programs:
        if shutil.which(program) is None:
            if os.environ.get("CI") == "true" and program != "wal-g":
                pytest.fail(f"CI leaves nothing real out, and {program} is missing")
            pytest.skip(f"{program} is not on PATH")


@contextmanager
def archiving(
    tool: LocalTool, directory: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Place]:
    """Make a server below `directory` that archives with `tool`; it ends with the block."""
    command = tool.archive_command(directory)
    cluster = Cluster.create(
        directory / "c",
        MAJOR,
        wal_segment_mib=16,
        settings={**(settings or {}), "archive_command": command},
    )
    cluster.programs.account.own(directory)
    place = Place(directory, cluster)
    with cluster:
        # The first segment is far from full: nothing is archived before there is a repository.
        tool.prepare(place)
        yield place


def back_up_between(
    tool: LocalTool, place: Place, before: Callable[[], object], after: Callable[[], object]
) -> None:
    """Take a backup between two loads; the WAL of both is archived."""
    before()
    place.archived()
    tool.catch_up(place)
    tool.back_up(place)
    after()
    place.archived()
    tool.catch_up(place)
