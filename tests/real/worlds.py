"""Small production worlds with a known state at every kind of point, and a drill's result."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_pgrestore.demo.cluster import Cluster, short_directory
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
from pytest_pgrestore.restore.drill import DrillResult

MAJORS = (15, 17, 18)
DEADLINE_SECONDS = 120.0
FORMS = {
    "plain": ["--format=plain"],
    "tar": ["--format=tar"],
    "tar.gz": ["--format=tar", "--gzip"],
    "tar.lz4": ["--format=tar", "--compress=client-lz4"],
    "tar.zst": ["--format=tar", "--compress=client-zstd"],
}
"""Source forms and arguments of pg_basebackup; the wheel of PostgreSQL 18 lacks lz4 and zstd."""

BEFORE_THE_BACKUP = 100
ROWS = 130


@dataclass
class World:
    """A ledger with one row a commit, base backups of every form, and points between the rows.

    Attributes:
        major: Server major.
        directory: Holds ``backups/<form>/one`` and ``archive``.
        points: Kind of target to the target and the highest row that must be there.
    """

    major: int
    directory: Path
    points: dict[str, tuple[RecoveryTarget, int]] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        """The WAL archive."""
        return self.directory / "archive"

    def backup(self, form: str = "plain") -> Path:
        """Return the base backup of a form."""
        return self.directory / "backups" / form / "one"


def forms_of(major: int) -> list[str]:
    """Return the source forms this major's pg_basebackup can write here."""
    return [form for form in FORMS if major < 18 or form not in ("tar.lz4", "tar.zst")]


POINTS = ("latest", "immediate", "time", "lsn", "xid", "xid exclusive", "name")


def build(major: int) -> World:
    """Build the world of one major."""
    world = World(major, short_directory())
    with Cluster.create(world.directory, major) as cluster:
        place = world.directory / "space"
        place.mkdir()
        cluster.programs.account.own(place)
        cluster.sql("create database shop")
        cluster.sql(f"create tablespace extra location '{place}'")
        cluster.sql("create table ledger (i int primary key) tablespace extra", database="shop")
        cluster.sql(
            f"insert into ledger select generate_series(1, {BEFORE_THE_BACKUP})", database="shop"
        )
        for form in forms_of(major):
            where = world.backup(form)
            words = (
                [f"--tablespace-mapping={place}={where.parent}/space"] if form == "plain" else []
            )
            cluster.base_backup(where, *FORMS[form], *words)
        _commit(cluster, world)
        cluster.switch_wal()
    return world


def _commit(cluster: Cluster, world: World) -> None:
    """Commit the rows after the backup one by one, and note where each kind of point lies."""
    world.points = {"latest": (Latest(), ROWS), "immediate": (Immediate(), BEFORE_THE_BACKUP)}
    for row in range(BEFORE_THE_BACKUP + 1, ROWS + 1):
        cluster.sql("insert into ledger values (%s)", row, database="shop")
        match row:
            case 110:
                world.points["lsn"] = (AtLsn(cluster.lsn()), row)
            case 115:
                world.points["time"] = (AtTime(cluster.now()), row)
            case 120:
                cluster.restore_point("before_deployment")
                world.points["name"] = (AtName("before_deployment"), row)
            case 125:
                xid = int(
                    cluster.value(
                        "select xmin::text from ledger where i = %s", row, database="shop"
                    )
                )
                world.points["xid"] = (AtXid(xid), row)
                world.points["xid exclusive"] = (exclusive(AtXid(xid)), row - 1)


@dataclass(frozen=True)
class Drilled:
    """A drill's result, and queries of the restored server."""

    result: DrillResult

    @property
    def cause(self) -> str:
        """Problem and hint of a drill that did not come up."""
        failure = self.result.record.failure
        return "" if failure is None else f"{failure.problem}\nHINT: {failure.hint}"

    def verdict_of(self, name: str) -> str:
        """Return the verdict of one check."""
        return next(
            check.verdict.value for check in self.result.record.checks if check.name == name
        )

    def message_of(self, name: str) -> str:
        """Return the message of one check."""
        return next(check.message for check in self.result.record.checks if check.name == name)

    def ask(self, query: str, *parameters: object) -> Any:
        """Return the first column of the first row of the restored server's answer."""
        assert self.result.access is not None, self.cause
        with self.result.access.open() as connection:
            row = connection.execute(query.encode(), parameters or None).fetchone()
        return row[0] if row else None

    def rows(self) -> int:
        """Return the highest row of the ledger, having seen that none below it is missing."""
        highest, count = (
            self.ask("select max(i) from ledger"),
            self.ask("select count(*) from ledger"),
        )
        assert highest == count
        return int(highest)


def copied(path: Path, into: Path) -> Path:
    """Return a copy of a backup or an archive that may be damaged."""
    subprocess.run(["cp", "-a", str(path), str(into)], check=True)
    return into


def as_root() -> bool:
    """Tell whether the tests run as root, who can mount and change owners."""
    return os.geteuid() == 0
