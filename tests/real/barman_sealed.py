"""A home of the newest Barman: encrypted, or with WAL that only Barman unpacks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_pgrestore.demo.cluster import PORT, Cluster, short_directory
from pytest_pgrestore.sources.barman.source import BarmanSource
from pytest_pgrestore.sources.barman.table import BarmanTable
from pytest_pgrestore.system.waiting import wait_until
from tests.real.barman_newest import MAJOR, NEWEST
from tests.real.stores import require
from tests.real.tool_worlds import table_of

KEY = "barman@shop"
PASSPHRASE = "seven-swans-at-noon"  # noqa: S105 - of a key that exists during a test only
SERVERS = {
    "sealed": (
        "backup_compression = gzip\nbackup_compression_format = tar\ncompression = zstd\n"
        f"encryption = gpg\nencryption_key_id = {KEY}\n"
        "encryption_passphrase_command = cat {directory}/passphrase\n"
    ),
    "snappy": "compression = snappy\n",
}
"""Barman's servers and their options; all back up one production."""


@dataclass(frozen=True)
class Sealed:
    """A home. The server has stopped.

    Attributes:
        directory: Holds the configuration, the home, and the key in ``.gnupg``.
        rows: The highest row of `ledger`.
    """

    directory: Path
    rows: int

    def source(self, server: str, **changes: object) -> BarmanSource:
        """Return the source a user would configure."""
        plain = {
            "type": "barman",
            "server": server,
            "config": str(self.directory / "barman.conf"),
            "program": str(NEWEST / "barman"),
        }
        return BarmanSource("shop", table_of(BarmanTable, plain, changes))


@contextmanager
def sealed() -> Iterator[Sealed]:
    """Make the home, with a backup of each server and WAL after it."""
    require(NEWEST / "barman")
    directory = short_directory()
    keys = directory / ".gnupg"
    try:
        _make_key(directory)
        with Cluster.create(directory / "c", MAJOR) as cluster:
            incoming = [directory / "home" / name / "incoming" for name in SERVERS]
            for place in incoming:
                place.mkdir(parents=True)
                cluster.programs.account.own(place)
            _configure(directory, cluster)
            cluster.stop()
            copies = [f"cp %p {place}/.%f && mv {place}/.%f {place}/%f" for place in incoming]
            cluster.start({"archive_command": " && ".join(copies)})
            cluster.sql("create table ledger (i int primary key)")
            _archive(directory, cluster)
            for name in SERVERS:
                _barman(directory, "backup", name)
            cluster.sql("insert into ledger select generate_series(1, 20)")
            _archive(directory, cluster)
        yield Sealed(directory, 20)
    finally:
        subprocess.run(
            ["gpgconf", "--homedir", str(keys), "--kill", "gpg-agent"],
            check=False,
            capture_output=True,
        )
        shutil.rmtree(directory, ignore_errors=True)


def _make_key(directory: Path) -> None:
    (directory / ".gnupg").mkdir(mode=0o700)
    (directory / "passphrase").write_text(PASSPHRASE)
    argv = ["gpg", "--batch", "--passphrase", PASSPHRASE, "--quick-gen-key", KEY]
    subprocess.run(
        [*argv, "default", "default", "never"],
        env={**os.environ, "HOME": str(directory)},
        check=True,
        capture_output=True,
    )


def _configure(directory: Path, cluster: Cluster) -> None:
    conninfo = f"host={cluster.directory} port={PORT} user=postgres dbname=postgres"
    servers = [
        f"""[{name}]
description = "{name}"
conninfo = {conninfo}
streaming_conninfo = {conninfo}
backup_method = postgres
archiver = on
immediate_checkpoint = true
{options.format(directory=directory)}
"""
        for name, options in SERVERS.items()
    ]
    (directory / "barman.conf").write_text(
        f"""[barman]
barman_user = root
barman_home = {directory}/home
log_file = {directory}/barman.log
path_prefix = {cluster.programs.installation.directory}
local_staging_path = {directory}
"""
        + "".join(servers)
    )


def _archive(directory: Path, cluster: Cluster) -> None:
    cluster.sql("select pg_create_restore_point('switch')")
    name: str = cluster.value("select pg_walfile_name(pg_switch_wal())")
    query = "select coalesce(last_archived_wal >= %s, false) from pg_stat_archiver"
    wait_until(
        lambda: bool(cluster.value(query, name)), what=f"archiving {name}", timeout_seconds=60
    )
    for server in SERVERS:
        _barman(directory, "archive-wal", server)


def _barman(directory: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(NEWEST / "barman"), f"--config={directory}/barman.conf", *arguments],
        env={**os.environ, "HOME": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
