"""The newest barman-cloud of PyPI, and a small production that it backs up to an S3 store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.sources.barman.cloud.source import BarmanCloudSource
from pytest_pgrestore.sources.barman.table import BarmanTable
from tests.real.stores import CACHE, S3Store, require
from tests.real.tool_worlds import table_of, temporary_s3_store

MAJOR = 15
BUCKET = "ledger-backups"
NEWEST = CACHE / "barman" / "bin"
"""Programs that tests/bootstrap/barman installs."""

SUFFIXES = {"--zstd": ".zst", "--lz4": ".lz4", "--xz": ".xz", "--snappy": ".snappy"}
"""Options of barman-cloud-wal-archive, and the suffix each gives to a segment."""


@dataclass
class CloudPlace:
    """A production server, and an object store with its backups.

    Attributes:
        cluster: The server.
        store: The S3 store.
        rows: The highest row of `ledger`.
        archived: Names of the archived files in the store.
        uploaded: Names of their objects, in order.
    """

    cluster: Cluster
    store: S3Store
    rows: int = 0
    archived: set[str] = field(default_factory=set)
    uploaded: list[str] = field(default_factory=list)

    @property
    def objects(self) -> Path:
        """Directory of the objects of all servers."""
        return self.store.directory / BUCKET / "cnpg"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the tool that are no secret."""
        return {"AWS_CA_BUNDLE": str(self.store.ca), "AWS_EC2_METADATA_DISABLED": "true"}

    @property
    def credentials(self) -> dict[str, str]:
        """Variables of the tool that are secrets."""
        return {
            "AWS_ACCESS_KEY_ID": self.store.key,
            "AWS_SECRET_ACCESS_KEY": self.store.secret,
            "AWS_DEFAULT_REGION": self.store.region,
        }

    def tool(self, program: str, *arguments: str) -> str:
        """Run a program of the newest barman-cloud; returns its output."""
        done = subprocess.run(
            [str(NEWEST / program), "--endpoint-url", self.store.endpoint, *arguments],
            env={**os.environ, **self.environment, **self.credentials},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program} {arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def grow(self, count: int = 10) -> None:
        """Commit rows, and archive them in a segment of their own in the local archive."""
        for _ in range(count):
            self.rows += 1
            self.cluster.sql("insert into ledger values (%s)", self.rows)
        self.cluster.switch_wal()

    def backup(self, server: str, *options: str) -> str:
        """Take a backup into the store, as a server of that name; returns its id."""
        way = ("-h", str(self.cluster.directory), "-U", "postgres", "--immediate-checkpoint")
        place = (f"s3://{BUCKET}/cnpg", server)
        self.tool("barman-cloud-backup", *way, *options, *place)
        listed = json.loads(self.tool("barman-cloud-backup-list", "--format", "json", *place))
        return max(str(entry["backup_id"]) for entry in listed["backups_list"])

    def upload(self, server: str, archive: Path | None = None) -> None:
        """Archive what an archive got since the last call, each segment compressed otherwise."""
        kept = archive or self.cluster.archive
        new = sorted({path.name for path in kept.iterdir()} - self.archived)
        for at, name in enumerate(new):
            option, suffix = list(SUFFIXES.items())[at % len(SUFFIXES)]
            if name.endswith((".history", ".backup")):
                option, suffix = "", ""
            place = (f"s3://{BUCKET}/cnpg", server, str(kept / name))
            self.tool("barman-cloud-wal-archive", *filter(None, (option,)), *place)
            self.uploaded.append(name + suffix)
        self.archived.update(new)

    def source(self, server: str, **changes: object) -> BarmanCloudSource:
        """Return the source a user would configure for the newest barman-cloud."""
        plain = {
            "type": "barman",
            "server": server,
            "url": f"s3://{BUCKET}/cnpg",
            "endpoint_url": self.store.endpoint,
            "env": self.environment,
            "secrets": self.credentials,
            "program": str(NEWEST / "barman"),
        }
        return BarmanCloudSource("shop", table_of(BarmanTable, plain, changes))


@contextmanager
def cloud_place() -> Iterator[CloudPlace]:
    """Run a server with an empty table `ledger`, and a store."""
    require(NEWEST / "barman-cloud-backup")
    directory = short_directory()
    try:
        with (
            temporary_s3_store(BUCKET) as store,
            Cluster.create(directory / "c", MAJOR, settings={"max_wal_size": "64MB"}) as cluster,
        ):
            _as_an_operator_leaves_it(cluster)
            yield CloudPlace(cluster, store)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _as_an_operator_leaves_it(cluster: Cluster) -> None:
    """Make the table in a tablespace, and the files that CloudNativePG adds to a data directory.

    Source: CloudNativePG, pkg/management/postgres, configuration.go and instance.go.
    """
    space = cluster.directory / "tablespaces" / "extra"
    space.mkdir(parents=True)
    cluster.programs.account.own(space.parent)
    cluster.programs.account.own(space)
    cluster.sql(f"create tablespace extra location '{space}'")
    cluster.sql("create table ledger (i int primary key) tablespace extra")
    with (cluster.data / "postgresql.conf").open("a") as stream:
        stream.write("include 'custom.conf'\ninclude_if_exists 'override.conf'\n")
    for name, text in {
        "custom.conf": "archive_command = '/controller/manager wal-archive %p'\n"
        "ssl = 'on'\nssl_cert_file = '/controller/certificates/server.crt'\n",
        "override.conf": "restore_command = '/controller/manager wal-restore %f %p'\n"
        "recovery_target_timeline = 'latest'\nprimary_slot_name = '_cnpg_cluster_1'\n",
        "pg_ident.conf": "local postgres postgres\n",
    }.items():
        (cluster.data / name).write_text(text)
        cluster.programs.account.own(cluster.data / name)


def version() -> str:
    """Return the version of the newest barman-cloud."""
    script = "import barman; print(barman.__version__)"
    argv = [str(NEWEST / "python"), "-c", script]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def future(old: str, new: str) -> Iterator[Path]:
    """Make a barman-cloud whose code has `new` for `old`; yields its PYTHONPATH."""
    script = "import barman; print(barman.__path__[0])"
    argv = [str(NEWEST / "python"), "-c", script]
    package = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    directory = short_directory()
    try:
        shutil.copytree(package, directory / "barman")
        code = directory / "barman" / "cloud.py"
        assert old in code.read_text()
        code.write_text(code.read_text().replace(old, new))
        yield directory
    finally:
        shutil.rmtree(directory)
