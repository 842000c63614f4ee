"""Productions with more than one timeline, each backed up by Barman into one home of this machine.

Every production also copies its WAL to a plain archive, from which its branches recover.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pytest_pgrestore.demo.cluster import PORT, Cluster, short_directory
from pytest_pgrestore.model.target import AtTime
from pytest_pgrestore.sources.barman.source import BarmanSource
from pytest_pgrestore.sources.barman.table import BarmanTable
from pytest_pgrestore.system.waiting import wait_until
from tests.real.tool_worlds import table_of

MAJOR = 15
DEADLINE_SECONDS = 120.0


@dataclass
class History:
    """A production, and Barman's server of the same name.

    Attributes:
        directory: Holds everything.
        name: Name of Barman's server.
        cluster: The server that runs, or ran last.
        archive: Directory with a second copy of all WAL.
        labels: Name of a backup in a test to its id.
        rows: The highest row of `ledger` on the branch that runs.
    """

    directory: Path
    name: str
    cluster: Cluster
    archive: Path
    labels: dict[str, str] = field(default_factory=dict)
    rows: int = 0

    @property
    def home(self) -> Path:
        """Directory of everything that Barman has of the server."""
        return self.directory / "home" / self.name

    @property
    def settings(self) -> dict[str, str]:
        """Settings of every server of this production."""
        incoming = self.home / "incoming"
        keep = f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f"
        send = f"cp %p {incoming}/.%f && mv {incoming}/.%f {incoming}/%f"
        return {
            "archive_command": f"{keep} && {send}",
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
        return AtTime(self.cluster.now().astimezone(UTC))

    def switch(self) -> None:
        """Close the segment; it is archived, also by Barman."""
        self.cluster.sql("select pg_create_restore_point('switch')")
        name: str = self.cluster.value("select pg_walfile_name(pg_switch_wal())")
        query = "select coalesce(last_archived_wal >= %s, false) from pg_stat_archiver"
        wait_until(
            lambda: bool(self.cluster.value(query, name)),
            what=f"archiving {name}",
            timeout_seconds=DEADLINE_SECONDS,
        )
        self.barman("archive-wal", self.name)

    def back_up(self, name: str) -> None:
        """Take a backup by Barman."""
        self.barman("backup", self.name)
        self.labels[name] = max(path.name for path in (self.home / "base").iterdir())

    def crash(self) -> None:
        """End the server as a power failure does: its last segment is not archived."""
        child = self.cluster._child
        assert child is not None
        self.cluster.programs.run("pg_ctl", "-D", str(self.cluster.data), "-m", "immediate", "stop")
        child.wait()
        self.cluster.stop()

    def branch(self, backup: str | None = None, until: AtTime | None = None) -> History:
        """Promote a server that recovers a backup, or the stopped one; returns its history."""
        there = self.cluster
        if backup is not None:
            there = Cluster(short_directory(), self.cluster.programs)
            there.programs.account.own(there.directory)
            base = self.home / "base" / self.labels[backup] / "data"
            subprocess.run(["cp", "-a", str(base), str(there.data)], check=True)
            there.data.chmod(0o700)
        signal = there.data / "recovery.signal"
        signal.touch()
        there.programs.account.own(signal)
        target = {} if until is None else {"recovery_target_time": until.when.isoformat()}
        there.start({**self.settings, **target, "recovery_target_action": "promote"})
        wait_until(
            lambda: not there.value("select pg_is_in_recovery()"),
            what="a promotion",
            timeout_seconds=DEADLINE_SECONDS,
        )
        made = History(self.directory, self.name, there, self.archive, self.labels)
        made.rows = there.value("select coalesce(max(i), 0) from ledger")
        return made

    def barman(self, *arguments: str) -> None:
        """Run Barman as the server's user."""
        programs = self.cluster.programs
        done = subprocess.run(
            ["barman", f"--config={self.directory}/barman.conf", *arguments],
            env={**os.environ, "HOME": str(self.directory), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            **programs.account.popen_arguments(),
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"

    @contextmanager
    def another_cluster(self) -> Iterator[History]:
        """Run a new cluster that archives to the same server of Barman."""
        place = short_directory()
        try:
            with Cluster.create(place, MAJOR) as cluster:
                cluster.stop()
                other = History(self.directory, self.name, cluster, place / "archive", self.labels)
                cluster.start(other.settings)
                cluster.sql("create table ledger (i int primary key)")
                yield other
        finally:
            shutil.rmtree(place)

    def copied(self, without: str = "") -> Path:
        """Return the configuration of a copy of the home; WAL that fits `without` is not in it."""
        place = short_directory()
        subprocess.run(["cp", "-a", str(self.directory / "home"), str(place / "home")], check=True)
        text = (self.directory / "barman.conf").read_text()
        (place / "barman.conf").write_text(text.replace(str(self.directory), str(place)))
        gone = list((place / "home" / self.name / "wals").rglob(without)) if without else []
        assert gone or not without
        for path in gone:
            path.unlink()
        return place / "barman.conf"

    def source(self, **changes: object) -> BarmanSource:
        """Return the source a user would configure."""
        plain = {
            "type": "barman",
            "server": self.name,
            "config": str(self.directory / "barman.conf"),
        }
        return BarmanSource("shop", table_of(BarmanTable, plain, changes))


@contextmanager
def history(name: str) -> Iterator[History]:
    """Start a production with an empty table `ledger`; Barman has no backup of it yet."""
    directory = short_directory()
    with Cluster.create(directory / "c", MAJOR) as cluster:
        made = History(directory, name, cluster, directory / "archive")
        account = cluster.programs.account
        made.archive.mkdir()
        (made.home / "incoming").mkdir(parents=True)
        conninfo = f"host={cluster.directory} port={PORT} user=postgres dbname=postgres"
        (directory / "barman.conf").write_text(
            f"""[barman]
barman_user = {account.name}
barman_home = {directory}/home
log_file = {directory}/barman.log
path_prefix = {cluster.programs.installation.directory}
[{name}]
description = "{name}"
conninfo = {conninfo}
streaming_conninfo = {conninfo}
backup_method = postgres
archiver = on
immediate_checkpoint = true
"""
        )
        for path in (directory, *directory.glob("*"), *directory.glob("home/**")):
            account.own(path)
        cluster.stop()
        cluster.start(made.settings)
        cluster.sql("create table ledger (i int primary key)")
        made.switch()  # Barman takes no backup while its WAL archive is empty.
        try:
            yield made
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def seconds_later(cluster: Cluster, moment: datetime) -> None:
    """Wait until the server's clock is more than a second after `moment`."""
    wait_until(
        lambda: (cluster.now() - moment).total_seconds() > 1.1,
        what="another second",
        timeout_seconds=DEADLINE_SECONDS,
    )
