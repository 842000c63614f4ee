"""Production servers backed up by pgBackRest: every kind of backup and of repository."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.sources.pgbackrest.source import PgbackrestSource
from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable
from pytest_pgrestore.system.process import Completed
from tests.real.production import PORT, Production, production
from tests.real.stores import AzureStore, S3Store, SftpStore, azure_store, s3_store, sftp_store
from tests.real.tool_worlds import copy_of, make_ledger, table_of

STANZA = "main"
PASSPHRASE = "three-quiet-owls-at-noon"  # noqa: S105 - the repository exists during a test only

BLOCK_SINCE = 17
"""First major whose image has a pgBackRest with block-incremental backups (2.46 or newer)."""


@dataclass
class Backed:
    """A server and its repositories; the server may have stopped.

    Attributes:
        server: The production.
        labels: Kind of backup and repository, as in ``full1``, to its label.
        env: Variables of production's own calls of the tool.
    """

    server: Production
    labels: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """PgBackRest's configuration."""
        return self.server.directory / "pgbackrest.conf"

    def repository(self, number: int) -> Path:
        """Return the path of a repository."""
        return self.server.directory / f"repo{number}"

    def tool(self, *arguments: str) -> Completed:
        """Run pgBackRest where production runs it."""
        return self.server.run(
            "pgbackrest", f"--config={self.config}", f"--stanza={STANZA}", *arguments, env=self.env
        )

    def backup(self, kind: str, number: int) -> str:
        """Take a backup into a repository and return its label."""
        self.tool(f"--repo={number}", f"--type={kind}", "backup")
        found = json.loads(self.tool(f"--repo={number}", "info", "--output=json").stdout)
        label = str(found[0]["backup"][-1]["label"])
        self.labels[f"{kind}{number}"] = label
        return label

    def source(self, repo: int | None = 1, **changes: object) -> PgbackrestSource:
        """Return the source a user would configure."""
        plain = {"type": "pgbackrest", "stanza": STANZA, "config": self.config, "repo": repo}
        return PgbackrestSource("shop", table_of(PgbackrestTable, plain, changes), 120.0)

    def copied(self) -> Backed:
        """Return a copy of configuration and repositories; remove its directory afterwards."""
        server = copy_of(self.server)
        for number in (1, 2):
            place = server.directory / f"repo{number}"
            shutil.copytree(self.repository(number), place, symlinks=True)
        text = self.config.read_text().replace(str(self.server.directory), str(server.directory))
        (server.directory / "pgbackrest.conf").write_text(text)
        return Backed(server, dict(self.labels))


def configuration(server: Production, repositories: str) -> str:
    """Return a configuration as production has it."""
    directory = server.directory
    numbers = sorted({line[4] for line in repositories.splitlines() if line.startswith("repo")})
    kept = "".join(f"repo{number}-retention-full=9\n" for number in numbers)
    return f"""
[global]
{repositories}
{kept}
compress-type=zst
process-max=2
log-path={directory}/log
lock-path={directory}/lock
spool-path={directory}/spool
log-level-file=off
start-fast=y
[{STANZA}]
pg1-path={server.data}
pg1-socket-path={directory}
pg1-user=postgres
"""


def directories_of(server: Production) -> str:
    """Return the options of the repositories on this machine."""
    block = "repo1-block=y" if server.major >= BLOCK_SINCE else ""
    return f"""
repo1-path={server.directory}/repo1
repo1-bundle=y
{block}
repo2-path={server.directory}/repo2
repo2-cipher-type=aes-256-cbc
repo2-cipher-pass={PASSPHRASE}
"""


STORES = {"s3": 1, "sftp": 2, "azure": 3}
"""Kind of store to the number of its repository."""

BUCKET = "backups"


@dataclass
class Stored(Backed):
    """A server whose repositories are in stores."""

    s3: S3Store | None = None
    sftp: SftpStore | None = None


def stores_of(s3: S3Store, sftp: SftpStore, azure: AzureStore) -> str:
    """Return the options of the repositories in stores."""
    return f"""
repo1-type=s3
repo1-path=/shop
repo1-s3-bucket={BUCKET}
repo1-s3-endpoint=localhost
repo1-s3-region={s3.region}
repo1-s3-uri-style=path
repo1-s3-key={s3.key}
repo1-storage-host=localhost
repo1-storage-port={s3.port}
repo1-storage-ca-file={s3.ca}
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass={PASSPHRASE}
repo2-type=sftp
repo2-path={sftp.directory}
repo2-sftp-host=127.0.0.1
repo2-sftp-host-port={sftp.port}
repo2-sftp-host-user={sftp.user}
repo2-sftp-host-key-hash-type=sha256
repo2-sftp-host-key-check-type=fingerprint
repo2-sftp-host-fingerprint={sftp.fingerprint}
repo2-sftp-private-key-file={sftp.private_key}
repo2-sftp-public-key-file={sftp.public_key}
repo3-type=azure
repo3-path=/shop
repo3-azure-account={azure.account}
repo3-azure-key={azure.key}
repo3-azure-container={BUCKET}
repo3-azure-uri-style=path
repo3-storage-host=localhost
repo3-storage-port={azure.port}
repo3-storage-ca-file={azure.ca}
"""


@contextmanager
def stored(major: int) -> Iterator[Stored]:
    """Make a production server with a full backup in an S3, an SFTP and an Azure store.

    The secret of the S3 store is in no file: the tool gets it from the environment.
    """
    directory = short_directory()
    try:
        with (
            s3_store(directory) as s3,
            sftp_store(directory) as sftp,
            azure_store(directory) as azure,
        ):
            s3.make_bucket(BUCKET)
            azure.make_container(BUCKET)
            with production(major, start=False, mounts=[directory]) as server:
                made = Stored(server, s3=s3, sftp=sftp)
                made.config.write_text(configuration(server, stores_of(s3, sftp, azure)))
                made.env = {"PGBACKREST_REPO1_S3_KEY_SECRET": s3.secret}
                push = (
                    f"PGBACKREST_REPO1_S3_KEY_SECRET={s3.secret} pgbackrest --config={made.config}"
                )
                server.start({"archive_command": f"{push} --stanza={STANZA} archive-push %p"})
                make_ledger(server, tablespace=False)
                made.tool("stanza-create")
                for number in STORES.values():
                    made.backup("full", number)
                server.note_points()
                server.archived()
                yield made
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def backed(major: int) -> Iterator[Backed]:
    """Make a production server with a tablespace, and a backup of every kind.

    ``repo1`` is bundled, and block-incremental if the tool can do that; ``repo2`` is encrypted.
    100 rows are in the full backup, 105 in the differential and 110 in the incremental one. The
    points are after all backups.
    """
    with production(major, start=False) as server:
        made = Backed(server)
        made.config.write_text(configuration(server, directories_of(server)))
        push = f"pgbackrest --config={made.config} --stanza={STANZA} archive-push %p"
        server.link_wal()
        server.start({"archive_command": push})
        make_ledger(server)
        made.tool("stanza-create")
        made.backup("full", 1)
        server.grow(5)
        made.backup("diff", 1)
        server.grow(5)
        made.backup("incr", 1)
        made.backup("full", 2)
        server.note_points()
        server.archived()
        yield made


COMPRESSIONS = ("none", "gz", "bz2", "lz4", "zst")
"""Compressions of the builds of the distributions."""


@dataclass
class Kinds(Backed):
    """A server with backups that were made in many ways.

    Attributes:
        damaged: File with a damaged page, below PGDATA.
    """

    damaged: str = ""

    @property
    def standby_config(self) -> Path:
        """Path of a configuration that names a standby too, and takes backups from it."""
        return self.server.directory / "standby.conf"


@contextmanager
def kinds(major: int) -> Iterator[Kinds]:
    """Make a production server and a standby, and back both up into ``repo1``.

    Each compression has a full backup, and the WAL after it. ``repo2`` has a backup with a damaged
    page.
    """
    with production(major, start=False) as server:
        made = Kinds(server)
        plain = configuration(
            server, f"repo1-path={server.directory}/repo1\nrepo2-path={server.directory}/repo2"
        )
        made.config.write_text(plain)
        push = f"pgbackrest --config={made.config} --stanza={STANZA} archive-push %p"
        server.start({"archive_command": push})
        make_ledger(server, tablespace=False)
        made.tool("stanza-create")
        for compression in COMPRESSIONS:
            made.config.write_text(
                plain.replace("compress-type=zst", f"compress-type={compression}")
            )
            made.labels[compression] = made.backup("full", 1)
            server.grow(5)
            server.archived()
        made.config.write_text(plain)
        _back_up_standby(made)
        server.grow(5)
        made.damaged = _damage_a_page(server)
        made.labels["damaged"] = made.backup("full", 2)
        server.archived()
        yield made


def _back_up_standby(made: Kinds) -> None:
    """Start a standby beside the server, take a full backup from it, and stop it."""
    server = made.server
    data, port = server.directory / "standby", PORT + 1
    server.run(
        *("pg_basebackup", "-h", str(server.directory), "-U", "postgres"),
        *("-R", "-c", "fast", "-D", str(data)),
    )
    options = (
        f"-c port={port} -c listen_addresses= -c archive_mode=off"
        f" -c unix_socket_directories={server.directory}"
    )
    log = str(server.directory / "standby.log")
    server.run("pg_ctl", "-D", str(data), "-w", "-l", log, "-o", options, "start")
    second = (
        f"pg2-path={data}\npg2-socket-path={server.directory}\npg2-port={port}\npg2-user=postgres\n"
    )
    made.standby_config.write_text(made.config.read_text() + second + "backup-standby=y\n")
    common = (f"--config={made.standby_config}", f"--stanza={STANZA}", "--repo=1")
    server.run("pgbackrest", *common, "--type=full", "backup")
    server.run("pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")
    found = json.loads(server.run("pgbackrest", *common, "info", "--output=json").stdout)
    made.labels["standby"] = found[0]["backup"][-1]["label"]


def _damage_a_page(server: Production) -> str:
    """Damage a page on production's disk that no query reads; return its file below PGDATA."""
    server.sql("create table attic as select generate_series(1, 5000) i")
    server.sql("checkpoint")
    name: str = server.value("select pg_relation_filepath('attic')")
    with (server.data / name).open("r+b") as file:
        file.seek(3 * 8192 + 4000)
        file.write(b"mouse")
    return name
