"""Production servers that barman-cloud backs up to an S3 store on this machine, over TLS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pgrestore.sources.barman.cloud.source import BarmanCloudSource
from pytest_pgrestore.sources.barman.table import BarmanTable
from pytest_pgrestore.system.process import Completed
from tests.real.production import Production, production
from tests.real.stores import S3Store
from tests.real.tool_worlds import make_ledger, table_of

BUCKET = "ledger-backups"
SERVER = "shop"
KEY = "barman-of-the-shop"
SECRET = "nine-grey-geese-at-dawn"  # noqa: S105 - the store exists during a test only


@dataclass
class Clouded:
    """A production and the store that has its backups; the server may have stopped.

    Attributes:
        server: The production.
        store: The S3 store.
        labels: Kind of backup to its id.
        rows: Id of a backup to the number of rows when it ended.
    """

    server: Production
    store: S3Store
    labels: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def objects(self) -> Path:
        """Directory of the server's objects."""
        return self.store.directory / BUCKET / "prod" / SERVER

    @property
    def place(self) -> tuple[str, ...]:
        """Where backups go, as arguments."""
        return (f"s3://{BUCKET}/prod", SERVER)

    @property
    def env(self) -> dict[str, str]:
        """Variables that are no secret."""
        return {"AWS_CA_BUNDLE": str(self.store.ca), "AWS_EC2_METADATA_DISABLED": "true"}

    @property
    def authority(self) -> Path:
        """The certificate, where production sees it."""
        return self.server.directory / "ca.pem"

    @property
    def credentials(self) -> dict[str, str]:
        """Variables that are secrets."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def environment(self) -> dict[str, str]:
        """Variables of production's own calls."""
        return {**self.env, **self.credentials, "AWS_CA_BUNDLE": str(self.authority)}

    def tool(self, program: str, *arguments: str) -> Completed:
        """Run a program of barman-cloud where production runs it."""
        return self.server.run(
            program, "--endpoint-url", self.store.endpoint, *arguments, env=self.environment
        )

    def backup(self, kind: str, *arguments: str) -> str:
        """Take a backup and return its id."""
        way = ("-h", str(self.server.directory), "-U", "postgres", "--immediate-checkpoint")
        self.tool("barman-cloud-backup", *way, *arguments, *self.place)
        found = json.loads(
            self.tool("barman-cloud-backup-list", "--format", "json", *self.place).stdout
        )
        label = max(str(entry["backup_id"]) for entry in found["backups_list"])
        self.labels[kind] = label
        self.rows[label] = self.server.rows
        return label

    def source(self, **changes: object) -> BarmanCloudSource:
        """Return the source a user would configure."""
        plain = {
            "type": "barman",
            "server": SERVER,
            "url": self.place[0],
            "endpoint_url": self.store.endpoint,
            "env": self.env,
            "secrets": self.credentials,
        }
        return BarmanCloudSource("shop", table_of(BarmanTable, plain, changes))


@contextmanager
def clouded(major: int, store: S3Store) -> Iterator[Clouded]:
    """Make a production server with a tablespace, and a plain and a compressed backup."""
    with production(major, start=False) as server:
        made = Clouded(server, store)
        shutil.copyfile(store.ca, made.authority)
        push = server.directory / "push"
        lines = [f"export {name}={value}" for name, value in made.environment.items()]
        options = f"--gzip --endpoint-url {store.endpoint}"
        archive = f"barman-cloud-wal-archive {options} {' '.join(made.place)}"
        push.write_text("\n".join(["#!/bin/sh", *lines, f'exec {archive} "$1"']) + "\n")
        push.chmod(0o755)
        server.link_wal()
        server.start({"archive_command": f"{push} %p"})
        make_ledger(server)
        made.backup("plain")
        server.grow(5)
        made.backup("gzip", "--gzip")
        server.note_points()
        server.archived()
        yield made
