"""Productions with more than one timeline or cluster, backed up by pgBackRest or WAL-G.

Everything runs on this machine. Each production also copies its WAL to a plain archive, from which
its branches recover.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pytest_pgrestore.demo.cluster import PORT, Cluster, short_directory
from pytest_pgrestore.model.target import AtTime
from pytest_pgrestore.sources.pgbackrest.source import PgbackrestSource
from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable
from pytest_pgrestore.sources.protocol import PhysicalSource
from pytest_pgrestore.sources.walg.source import WalgSource
from pytest_pgrestore.sources.walg.table import WalgTable
from pytest_pgrestore.system.waiting import wait_until
from tests.real.tool_worlds import table_of

MAJOR = 15
DEADLINE_SECONDS = 120.0


class Repository(Protocol):
    """Where a tool keeps the backups of a production."""

    def prepare(self, cluster: Cluster) -> None:
        """Write its configuration; the server runs."""
        ...

    def push(self, data: Path) -> str:
        """Return the archive_command of the server in `data`."""
        ...

    def back_up(self, cluster: Cluster, *options: str) -> str:
        """Take a backup and return its label."""
        ...

    def restore(self, cluster: Cluster, label: str, into: Path) -> None:
        """Restore the files of a backup."""
        ...

    def copied(self) -> tuple[Repository, Path]:
        """Return a copy to damage, and the directory of its WAL; remove `directory` of it."""
        ...

    def source(self, **changes: object) -> PhysicalSource:
        """Return the source a user would configure."""
        ...


@dataclass
class Stanza:
    """A stanza of pgBackRest.

    Attributes:
        directory: Holds configuration and repository.
        options: More lines of the configuration.
    """

    directory: Path
    options: tuple[str, ...] = ()

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.directory / "pgbackrest.conf"

    def prepare(self, cluster: Cluster) -> None:
        """Write the configuration, and create the stanza."""
        lines = (
            *("[global]", f"repo1-path={self.directory}/repo", "repo1-retention-full=9"),
            *(f"lock-path={self.directory}/lock", f"spool-path={self.directory}/spool"),
            *("log-level-file=off", "start-fast=y", *self.options),
            *("[main]", f"pg1-path={cluster.data}"),
            *(f"pg1-socket-path={cluster.directory}", f"pg1-port={PORT}", "pg1-user=postgres"),
        )
        self.config.write_text("\n".join(lines) + "\n")
        self.run(cluster, "stanza-create")

    def push(self, data: Path) -> str:
        """Return the archive_command."""
        return f"pgbackrest --config={self.config} --stanza=main --pg1-path={data} archive-push %p"

    def run(self, cluster: Cluster, *arguments: str) -> str:
        """Run pgBackRest as the server's user; return what it prints."""
        words = (f"--config={self.config}", "--stanza=main")
        # Options by variables: a command that has no use for one does not mind.
        more = {
            "PGBACKREST_PG1_PATH": str(cluster.data),
            "PGBACKREST_PG1_SOCKET_PATH": str(cluster.directory),
        }
        return run_as_server(cluster, "pgbackrest", *words, *arguments, **more)

    def back_up(self, cluster: Cluster, *options: str) -> str:
        """Take a full backup."""
        self.run(cluster, "--type=full", *options, "backup")
        found = json.loads(self.run(cluster, "--output=json", "info"))
        label: str = found[0]["backup"][-1]["label"]
        return label

    def restore(self, cluster: Cluster, label: str, into: Path) -> None:  # noqa: ARG002 - of the protocol
        """Restore, without recovery settings; `cluster` is that of the directory."""
        self.run(cluster, f"--set={label}", "--type=none", "restore")

    def copied(self) -> tuple[Stanza, Path]:
        """Return a copy of configuration and repository."""
        copy = Stanza(short_directory(), self.options)
        subprocess.run(["cp", "-a", self.directory / "repo", copy.directory / "repo"], check=True)
        text = self.config.read_text().replace(str(self.directory), str(copy.directory))
        copy.config.write_text(text)
        return copy, copy.directory / "repo" / "archive" / "main"

    def source(self, **changes: object) -> PhysicalSource:
        """Return the source a user would configure."""
        plain = {"type": "pgbackrest", "stanza": "main", "config": str(self.config)}
        return PgbackrestSource("shop", table_of(PgbackrestTable, plain, changes), 60.0)


@dataclass
class Prefix:
    """A prefix of WAL-G in a directory."""

    directory: Path

    @property
    def env(self) -> dict[str, str]:
        """WAL-G's variables."""
        return {"WALG_FILE_PREFIX": str(self.directory / "store")}

    def prepare(self, cluster: Cluster) -> None:
        """Make the directory."""
        (self.directory / "store").mkdir()
        cluster.programs.account.own(self.directory / "store")

    def push(self, data: Path) -> str:  # noqa: ARG002 - of the protocol
        """Return the archive_command."""
        words = " ".join(f"{name}={value}" for name, value in self.env.items())
        return f"{words} WALG_PG_WAL_SIZE=1 wal-g wal-push %p"

    def run(self, cluster: Cluster, *arguments: str) -> str:
        """Run WAL-G as the server's user; return what it prints."""
        sizes = {"WALG_PG_WAL_SIZE": "1", "WALG_DELTA_MAX_STEPS": "3", "PGUSER": "postgres"}
        more = {**self.env, **sizes, "PGHOST": str(cluster.directory)}
        return run_as_server(cluster, "wal-g", *arguments, **more)

    def back_up(self, cluster: Cluster, *options: str) -> str:
        """Take a backup: a delta, if it is not the first one and `options` lack ``--full``."""
        before = self._labels(cluster)
        self.run(cluster, "backup-push", *options, str(cluster.data))
        (label,) = self._labels(cluster) - before
        return label

    def _labels(self, cluster: Cluster) -> set[str]:
        printed = self.run(cluster, "backup-list", "--json")
        return {row["backup_name"] for row in json.loads(printed or "[]")}

    def restore(self, cluster: Cluster, label: str, into: Path) -> None:
        """Fetch a backup."""
        self.run(cluster, "backup-fetch", str(into), label)

    def copied(self) -> tuple[Prefix, Path]:
        """Return a copy of the store."""
        copy = Prefix(short_directory())
        subprocess.run(["cp", "-a", self.directory / "store", copy.directory], check=True)
        return copy, copy.directory / "store" / "wal_005"

    def source(self, **changes: object) -> PhysicalSource:
        """Return the source a user would configure."""
        plain = {"type": "walg", "program": shutil.which("wal-g"), "env": self.env}
        return WalgSource("shop", table_of(WalgTable, plain, changes))


@dataclass
class History:
    """A production with a table `ledger` of one row a commit, and its backups.

    Attributes:
        directory: Holds everything.
        repository: Keeps its backups.
        cluster: The server that runs, or ran last.
        labels: Name of a backup in a test to its label.
        rows: The highest row on the branch that runs.
    """

    directory: Path
    repository: Repository
    cluster: Cluster
    labels: dict[str, str] = field(default_factory=dict)
    rows: int = 0

    @property
    def archive(self) -> Path:
        """Directory with a second copy of all WAL."""
        return self.directory / "archive"

    def settings(self, cluster: Cluster) -> dict[str, str]:
        """Return the settings of a server of this production."""
        keep = f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f"
        return {
            "archive_command": f"{self.repository.push(cluster.data)} && {keep}",
            "restore_command": f"cp {self.archive}/%f %p",
            "max_wal_size": "64MB",
        }

    def grow(self, count: int = 10) -> None:
        """Commit rows one by one."""
        for _ in range(count):
            self.rows += 1
            self.cluster.sql("insert into ledger values (%s)", self.rows)

    def moment(self) -> AtTime:
        """Return the target of this moment; later commits are more than a second after it."""
        moment = self.cluster.now().astimezone(UTC)
        wait_until(
            lambda: (self.cluster.now() - moment).total_seconds() > 1.1,
            what="another second",
            timeout_seconds=DEADLINE_SECONDS,
        )
        return AtTime(moment)

    def switch(self) -> None:
        """Close the segment; it is archived."""
        self.cluster.restore_point("switch")
        name: str = self.cluster.value("select pg_walfile_name(pg_switch_wal())")
        query = "select coalesce(last_archived_wal >= %s, false) from pg_stat_archiver"
        wait_until(
            lambda: bool(self.cluster.value(query, name)),
            what=f"archiving {name}",
            timeout_seconds=DEADLINE_SECONDS,
        )

    def back_up(self, name: str, *options: str) -> None:
        """Take a backup; the end of it lies in another second than later commits."""
        self.labels[name] = self.repository.back_up(self.cluster, *options)

    def crash(self) -> None:
        """End the server as a power failure does: its last segment is not archived."""
        child = self.cluster._child
        assert child is not None
        self.cluster.programs.run("pg_ctl", "-D", str(self.cluster.data), "-m", "immediate", "stop")
        child.wait()
        self.cluster.stop()

    def branch(self, backup: str | None = None, until: datetime | None = None) -> History:
        """Promote a server that recovers a backup, or the stopped one; returns its history."""
        there = self.cluster
        if backup is not None:
            there = Cluster(short_directory(), self.cluster.programs)
            there.data.mkdir(mode=0o700)
            for path in (there.directory, there.data):
                there.programs.account.own(path)
            self.repository.restore(there, self.labels[backup], there.data)
        (there.data / "recovery.signal").touch()
        there.programs.account.own(there.data / "recovery.signal")
        target = {} if until is None else {"recovery_target_time": until.isoformat()}
        there.start({**self.settings(there), **target, "recovery_target_action": "promote"})
        wait_until(
            lambda: not there.value("select pg_is_in_recovery()"),
            what="a promotion",
            timeout_seconds=DEADLINE_SECONDS,
        )
        rows = there.value("select coalesce(max(i), 0) from ledger")
        return History(self.directory, self.repository, there, self.labels, rows)

    def new_cluster(self) -> None:
        """Replace the stopped server by a new one, with an empty ledger."""
        programs = self.cluster.programs
        shutil.rmtree(self.cluster.data)
        words = ("--username", "postgres", "--auth", "trust", "--no-sync", "--wal-segsize=1")
        programs.run("initdb", "--pgdata", str(self.cluster.data), *words)
        shutil.rmtree(self.archive)
        self.archive.mkdir()
        programs.account.own(self.archive)

    def start(self) -> None:
        """Start the server with an empty ledger."""
        self.cluster.start(self.settings(self.cluster))
        self.cluster.sql("create table if not exists ledger (i int primary key)")

    @contextmanager
    def without(self, pattern: str) -> Iterator[Repository]:
        """Copy the repository without the WAL that fits a pattern; it must fit some."""
        copy, wal = self.repository.copied()
        try:
            gone = [path for path in wal.rglob(pattern) if path.is_file()]
            assert gone
            for path in gone:
                path.unlink()
            yield copy
        finally:
            shutil.rmtree(wal.parents[2] if "repo" in str(wal) else wal.parents[1])


def run_as_server(cluster: Cluster, *argv: str, **more: str) -> str:
    """Run a program as the server's user; it must succeed. Return what it prints."""
    programs = cluster.programs
    path = f"{programs.installation.directory}:{os.environ['PATH']}"
    done: subprocess.CompletedProcess[str] = subprocess.run(
        argv,
        env={"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(cluster.directory), **more},
        check=False,
        text=True,
        capture_output=True,
        cwd="/",
        **programs.account.popen_arguments(),
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def history(kind: Callable[..., Repository], *options: str) -> Iterator[History]:
    """Start a production with an empty table `ledger`, archiving with a tool; no backup yet.

    Args:
        kind: Makes the repository in a directory; `Stanza` takes `options` too.
        options: More lines of pgBackRest's configuration.
    """
    directory = short_directory()
    try:
        with Cluster.create(directory / "c", MAJOR) as cluster:
            repository = kind(directory, options) if options else kind(directory)
            made = History(directory, repository, cluster)
            made.archive.mkdir()
            for path in (directory, made.archive):
                cluster.programs.account.own(path)
            repository.prepare(cluster)
            cluster.stop()
            made.start()
            yield made
            made.cluster.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
