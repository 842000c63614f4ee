"""Production servers backed up by Barman.

Several servers of one Barman home back up one production, each by its own method.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pgrestore.sources.barman.source import BarmanSource
from pytest_pgrestore.sources.barman.table import BarmanTable
from pytest_pgrestore.system.process import Completed
from tests.real.production import Production, production
from tests.real.tool_worlds import copy_of, make_ledger, table_of

BLOCKS_SINCE = 17
"""First major with block-level incremental backups; its image has Barman 3.13, which takes them."""

SERVERS = {
    "stream": "backup_method = postgres\ncompression = gzip",
    "rsync": (
        "backup_method = rsync\nssh_command = {directory}/here\n"
        "reuse_backup = link\ncompression = pybzip2"
    ),
    "packed": (
        "backup_method = postgres\nbackup_compression = gzip\nrecovery_staging_path = /nowhere"
    ),
}
"""Name of each server in Barman to its options; all back up the same production."""

_DIGITS = 24

_HERE = """#!/bin/sh
# In place of ssh: the last words are the command for the server, which is this machine.
while [ $# -gt 1 ] && [ "${1#-}" != "$1" ]; do case $1 in -o) shift ;; esac; shift; done
shift
exec sh -c "$*"
"""


@dataclass
class Barmaned:
    """A production and the Barman home that backs it up; the server may have stopped.

    Attributes:
        server: The production.
        labels: Server of Barman and kind of backup, as in ``stream full``, to its id.
        rows: Id of a backup to the number of rows when it ended.
    """

    server: Production
    labels: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """Barman's configuration."""
        return self.server.directory / "barman.conf"

    @property
    def home(self) -> Path:
        """Barman's home."""
        return self.server.directory / "home"

    def base(self, kind: str) -> Path:
        """Return the directory of a backup."""
        return self.home / kind.partition(" ")[0] / "base" / self.labels[kind]

    def description(self, kind: str) -> Path:
        """Return the file with a backup's description: in ``meta`` since Barman 3.13."""
        name = kind.partition(" ")[0]
        newer = self.home / name / "meta" / f"{self.labels[kind]}-backup.info"
        return newer if newer.exists() else self.base(kind) / "backup.info"

    def segments(self, name: str) -> list[Path]:
        """Return the WAL segments of a server, in order."""
        return [
            path
            for path in sorted((self.home / name / "wals").glob("*/*"))
            if len(path.name) == _DIGITS
        ]

    def tool(self, *arguments: str) -> Completed:
        """Run Barman where production runs it."""
        return self.server.run("barman", f"--config={self.config}", *arguments)

    def catch_up(self) -> None:
        """Let every server archive the WAL that production copied to it."""
        for name in SERVERS:
            self.tool("archive-wal", name)

    def backup(self, name: str, kind: str, *arguments: str) -> str:
        """Take a backup of a server of Barman and return its id."""
        self.tool("backup", name, *arguments)
        found = json.loads(self.tool("-f", "json", "list-backups", name).stdout)
        label = max(str(entry["backup_id"]) for entry in found[name])
        self.labels[f"{name} {kind}"] = label
        self.rows[label] = self.server.rows
        self.server.archived()
        self.catch_up()
        return label

    def source(self, name: str = "stream", **changes: object) -> BarmanSource:
        """Return the source a user would configure."""
        plain = {"type": "barman", "server": name, "config": self.config}
        return BarmanSource("shop", table_of(BarmanTable, plain, changes))

    def copied(self) -> Barmaned:
        """Return a copy of configuration and home to damage; remove its directory afterwards."""
        server = copy_of(self.server)
        directory = server.directory
        old, new = str(self.server.directory), str(directory)
        shutil.copytree(self.home, directory / "home", symlinks=True)
        for link in (directory / "home").glob("*/base/*/data/pg_tblspc/*"):
            place = str(link.readlink()).replace(old, new)
            link.unlink()
            link.symlink_to(place)
        shutil.copytree(self.server.directory / "barman.d", directory / "barman.d")
        for path in (*directory.glob("barman.d/*.conf"), directory / "barman.conf"):
            original = self.server.directory / path.relative_to(directory)
            path.write_text(original.read_text().replace(old, new))
        return Barmaned(server, dict(self.labels), dict(self.rows))


def configure(server: Production) -> None:
    """Write a configuration as production has it: one global file, and one for each server."""
    directory = server.directory
    (directory / "barman.conf").write_text(
        f"""[barman]
barman_user = nobody
barman_home = {directory}/home
configuration_files_directory = {directory}/barman.d
log_file = {directory}/barman.log
log_level = INFO
path_prefix = /usr/lib/postgresql/{server.major}/bin
"""
    )
    (directory / "barman.d").mkdir(exist_ok=True)
    for name, special in SERVERS.items():
        (directory / "barman.d" / f"{name}.conf").write_text(
            f"""[{name}]
description = "the ledger, by {name}"
conninfo = host={directory} user=postgres dbname=postgres
streaming_conninfo = host={directory} user=postgres dbname=postgres
archiver = on
immediate_checkpoint = true
{special.format(directory=directory)}
"""
        )
    here = directory / "here"
    here.write_text(_HERE)
    here.chmod(0o755)


@contextmanager
def barmaned(major: int) -> Iterator[Barmaned]:
    """Make a production server with a tablespace, and a backup of every kind.

    The points are after all backups.
    """
    with production(major, start=False) as server:
        made = Barmaned(server)
        configure(server)
        incoming = [f"{made.home}/{name}/incoming" for name in SERVERS]
        server.run("mkdir", "-p", *incoming)
        copies = " && ".join(
            f"cp %p {folder}/.%f && mv {folder}/.%f {folder}/%f" for folder in incoming
        )
        # In the file, so that a restored copy has it: Barman changes it there, and a drill must not
        # archive.
        with (server.data / "postgresql.conf").open("a") as stream:
            stream.write(f"archive_mode = on\narchive_command = '{copies}'\n")
        server.link_wal()
        server.start({"summarize_wal": "on"} if major >= BLOCKS_SINCE else {})
        make_ledger(server)
        server.archived()
        made.catch_up()
        made.backup("stream", "full")
        made.backup("rsync", "full")
        server.grow(5)
        made.backup("rsync", "link")
        made.backup("packed", "full")
        if major >= BLOCKS_SINCE:
            server.grow(5)
            made.backup("stream", "block", "--incremental", made.labels["stream full"])
        server.note_points()
        server.archived()
        made.catch_up()
        yield made
