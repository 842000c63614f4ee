"""Production servers in containers, with the backup tools of their distribution.

Repositories are on this machine. A container has the network of this machine, so its programs
reach the stores on 127.0.0.1.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.target import (
    AtLsn,
    AtName,
    AtTime,
    AtXid,
    Immediate,
    Latest,
    RecoveryTarget,
    exclusive,
)
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sandboxes.docker.daemon.client import connect
from pytest_pgrestore.sandboxes.docker.daemon.exec import execute
from pytest_pgrestore.sandboxes.docker.daemon.image import image_for
from pytest_pgrestore.system.account import server_account
from pytest_pgrestore.system.process import Completed
from pytest_pgrestore.system.waiting import wait_until
from tests.real.runtimes import (
    BACKUP_TOOLS,
    BUILD_SECONDS,
    DEADLINE_SECONDS,
    docker_settings,
    require_tool_images,
)

PORT = 5432
SEGMENT_MIB = 1
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LIFE_SECONDS = "5400"
"""Lifetime of a container, in case that nobody removes it."""


@dataclass
class Production:
    """A PostgreSQL server with a table `ledger` of one row per commit, and a point of every kind.

    Attributes:
        directory: Mounted in the container at the same path. It has ``data``, the socket, and
            files of a test.
        major: Server major.
        identity: Id of the container; empty for a copy, which has none.
        points: Kind of target to the target and the highest row that is there. The next row must
            not be there.
        rows: The highest row.
        ended: A time after the last commit; None until WAL was archived.
    """

    directory: Path
    major: int
    identity: str
    points: dict[str, tuple[RecoveryTarget, int]] = field(default_factory=dict)
    rows: int = 0
    ended: datetime | None = None

    @property
    def data(self) -> Path:
        """Path of the data directory."""
        return self.directory / "data"

    def try_run(
        self, *argv: str, env: Mapping[str, str] | None = None, seconds: float = DEADLINE_SECONDS
    ) -> Completed:
        """Run a program in the container as the server's user, whatever its status."""
        account = server_account()
        path = f"/usr/lib/postgresql/{self.major}/bin:{_PATH}"
        return execute(
            connect(),
            self.identity,
            argv,
            user=f"{account.uid}:{account.gid}",
            env={
                "HOME": str(self.directory),
                "PATH": path,
                "LC_ALL": "C.UTF-8",
                "TZ": "UTC",
                **(env or {}),
            },
            timeout_seconds=seconds,
        )

    def run(
        self, *argv: str, env: Mapping[str, str] | None = None, seconds: float = DEADLINE_SECONDS
    ) -> Completed:
        """Run a program in the container as the server's user; it must succeed."""
        done = self.try_run(*argv, env=env, seconds=seconds)
        assert done.status == 0, f"{argv} ended with {done.status}: {done.stdout}\n{done.stderr}"
        return done

    def start(self, settings: Mapping[str, str]) -> None:
        """Start the server with `settings` and wait until it answers."""
        wanted = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "log_timezone": "UTC",
            "timezone": "UTC",
            "fsync": "off",
            "archive_mode": "on",
            **settings,
        }
        options = " ".join(
            "-c '" + f"{name}={value}".replace("'", "'\\''") + "'" for name, value in wanted.items()
        )
        log = str(self.directory / "server.log")
        self.run("pg_ctl", "-D", str(self.data), "-w", "-l", log, "-o", options, "start")

    def link_wal(self) -> None:
        """Move WAL elsewhere behind a link, as `initdb --waldir` does, before the first start.

        A restore could follow the link into production.
        """
        self.run("mv", str(self.data / "pg_wal"), str(self.directory / "wal-of-production"))
        self.run("ln", "-s", str(self.directory / "wal-of-production"), str(self.data / "pg_wal"))

    def stop(self) -> None:
        """Stop the server."""
        self.run("pg_ctl", "-D", str(self.data), "-w", "-m", "fast", "stop")

    def sql(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, empty for a statement without any."""
        with psycopg.connect(
            host=str(self.directory), port=PORT, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, query: str, *parameters: object) -> Any:
        """Return the first column of the first row."""
        return self.sql(query, *parameters)[0][0]

    def grow(self, count: int) -> None:
        """Commit `count` rows, one by one."""
        for _ in range(count):
            self.rows += 1
            self.sql("insert into ledger values (%s)", self.rows)

    def note_points(self) -> None:
        """Commit rows, and note a point of every kind between them."""
        self.points["immediate"] = (Immediate(), self.rows)
        self.grow(5)
        self.points["lsn"] = (
            AtLsn(Lsn.parse(self.value("select pg_current_wal_lsn()::text"))),
            self.rows,
        )
        self.grow(5)
        moment: datetime = self.value("select clock_timestamp()")
        self.points["time"] = (AtTime(moment.astimezone(UTC)), self.rows)
        self.grow(5)
        self.sql("select pg_create_restore_point('before_deployment')")
        self.points["name"] = (AtName("before_deployment"), self.rows)
        self.grow(5)
        xid = int(self.value("select xmin::text from ledger where i = %s", self.rows))
        self.points["xid"] = (AtXid(xid), self.rows)
        self.points["xid exclusive"] = (exclusive(AtXid(xid)), self.rows - 1)
        self.grow(5)
        self.points["latest"] = (Latest(), self.rows)

    def archived(self) -> str:
        """Close the current WAL segment, wait until it is archived, and return its name."""
        self.sql("select pg_create_restore_point('switch')")
        name: str = self.value("select pg_walfile_name(pg_switch_wal())")
        wait_until(
            lambda: bool(
                self.value(
                    "select coalesce(last_archived_wal >= %s, false) from pg_stat_archiver", name
                )
            ),
            what=f"archiving {name}",
            timeout_seconds=DEADLINE_SECONDS,
        )
        moment: datetime = self.value("select clock_timestamp()")
        self.ended = moment.astimezone(UTC)
        return name


@contextmanager
def production(
    major: int, *, start: bool = True, mounts: Sequence[Path] = (), **settings: str
) -> Iterator[Production]:
    """Make a cluster of `major` in a container and start its server; everything is gone afterwards.

    Args:
        major: Server major.
        mounts: Files and directories of this machine that its programs read too.
        start: Whether to start it, with a table `ledger` of 100 rows; else only initdb has run.
        settings: Server settings, e.g. ``archive_command``; ``{directory}`` is replaced.
    """
    require_tool_images()
    directory = short_directory()
    account = server_account()
    account.own(directory)
    engine = connect()
    docker = docker_settings(directory, packages=BACKUP_TOOLS, timeout_seconds=BUILD_SECONDS)
    image = image_for(
        engine, docker, major, Path(directory.parent) / f".production-images-{os.geteuid()}.lock"
    )
    container = engine.client.containers.run(
        image.identity,
        ["timeout", "-s", "KILL", _LIFE_SECONDS, "sleep", _LIFE_SECONDS],
        detach=True,
        auto_remove=True,
        init=True,
        network_mode="host",
        user=f"{account.uid}:{account.gid}",
        volumes={
            **{str(path): {"bind": str(path), "mode": "ro"} for path in mounts},
            str(directory): {"bind": str(directory), "mode": "rw"},
        },
        shm_size="256m",
    )
    try:
        made = Production(directory, major, str(container.id))
        made.run(
            *("initdb", "-D", str(made.data), "-U", "postgres", "-A", "trust"),
            *("-E", "UTF8", "--locale", "C.UTF-8"),
            *("--data-checksums", "--no-sync", f"--wal-segsize={SEGMENT_MIB}"),
        )
        if start:
            made.start(
                {name: value.format(directory=directory) for name, value in settings.items()}
            )
            made.sql("create table ledger (i int primary key)")
            made.sql("insert into ledger select generate_series(1, 100)")
            made.rows = 100
        yield made
    finally:
        container.remove(force=True, v=True)
        shutil.rmtree(directory, ignore_errors=True)


def digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `directory`, to compare before and after a drill."""
    from hashlib import sha256

    return {
        str(path.relative_to(directory)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
