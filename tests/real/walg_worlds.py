"""Production servers backed up by WAL-G: a full and a delta backup, in a directory or a store.

WAL-G is in no package registry: these tests run if `wal-g` is on PATH.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pgrestore.sources.walg.source import WalgSource
from pytest_pgrestore.sources.walg.table import WalgTable
from pytest_pgrestore.system.process import Completed
from tests.real.production import Production, production
from tests.real.stores import S3Store
from tests.real.tool_worlds import copy_of, make_ledger, table_of, temporary_s3_store

WALG = shutil.which("wal-g")
BUCKET = "backups"


@dataclass
class Pushed:
    """A server and its backups by WAL-G.

    Attributes:
        server: The production.
        env: Variables of WAL-G that everybody may see.
        secrets: Variables of WAL-G that nobody may see.
        labels: ``full`` and ``delta`` to the names of the backups.
        s3: The store; None if the storage is a directory.
    """

    server: Production
    env: dict[str, str]
    secrets: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    s3: S3Store | None = None

    @property
    def store(self) -> Path:
        """Directory of the storage, or of the store's objects."""
        if self.s3 is not None:
            return self.s3.directory / BUCKET / "shop"
        return Path(self.env["WALG_FILE_PREFIX"])

    def tool(self, *arguments: str) -> Completed:
        """Run WAL-G where production runs it."""
        connection = {
            "PGHOST": str(self.server.directory),
            "PGUSER": "postgres",
            "WALG_PG_WAL_SIZE": "1",
        }
        sizes = {"WALG_DELTA_MAX_STEPS": "3", "WALG_TAR_SIZE_THRESHOLD": "8000000"}
        env = {**self.env, **self.secrets, **connection, **sizes}
        return self.server.run("wal-g", *arguments, env=env)

    def source(self, **changes: object) -> WalgSource:
        """Return the source a user would configure."""
        plain = {"type": "walg", "program": WALG, "env": self.env, "secrets": self.secrets}
        return WalgSource("shop", table_of(WalgTable, plain, changes))

    def copied(self) -> Pushed:
        """Return a copy of a directory storage to damage; remove its directory afterwards."""
        server = copy_of(self.server)
        store = server.directory / "store"
        shutil.copytree(self.store, store)
        env = {**self.env, "WALG_FILE_PREFIX": str(store)}
        return Pushed(server, env, {}, dict(self.labels))


def _push(made: Pushed) -> None:
    """Start the server, take a full and a delta backup, and note the points after them."""
    server = made.server
    words = {**made.env, **made.secrets, "WALG_PG_WAL_SIZE": "1"}
    variables = " ".join(f"{name}={value}" for name, value in words.items())
    server.start({"archive_command": f"{variables} wal-g wal-push %p"})
    make_ledger(server)
    for kind in ("full", "delta"):
        made.tool("backup-push", str(server.data))
        rows = json.loads(made.tool("backup-list", "--json").stdout)
        made.labels[kind] = next(
            row["backup_name"] for row in rows if ("_D_" in row["backup_name"]) == (kind == "delta")
        )
        server.grow(5)
    # Selection takes the times of a catalogue for whole seconds.
    server.sql("select pg_sleep(1.1)")
    server.note_points()
    server.archived()


@contextmanager
def pushed(major: int, **env: str) -> Iterator[Pushed]:
    """Make a production server with its backups in a directory."""
    assert WALG is not None
    keys = [Path(value) for value in env.values() if value.startswith("/")]
    with production(major, start=False, mounts=[Path(WALG), *keys]) as server:
        store = server.directory / "store"
        server.run("mkdir", str(store))
        server.link_wal()
        made = Pushed(server, {"WALG_FILE_PREFIX": str(store), **env})
        _push(made)
        yield made


@contextmanager
def pushed_to_s3(major: int) -> Iterator[Pushed]:
    """Make a production server with its backups in an S3 store with TLS."""
    assert WALG is not None
    with temporary_s3_store(BUCKET) as s3:
        env = {
            "WALG_S3_PREFIX": f"s3://{BUCKET}/shop",
            "AWS_ENDPOINT": s3.endpoint,
            "AWS_REGION": s3.region,
            "AWS_S3_FORCE_PATH_STYLE": "true",
            "AWS_ACCESS_KEY_ID": s3.key,
            "WALG_S3_CA_CERT_FILE": str(s3.ca),
        }
        with production(major, start=False, mounts=[Path(WALG), s3.ca]) as server:
            made = Pushed(server, env, {"AWS_SECRET_ACCESS_KEY": s3.secret}, s3=s3)
            _push(made)
            yield made
