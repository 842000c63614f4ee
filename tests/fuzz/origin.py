"""An origin of dumps: a server that makes random databases, dumps them, and restores by hand.

By hand means PostgreSQL's own programs and nothing else: what they restore is the right answer.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.system.process import child_environment
from tests.fuzz.databases import ROLES, Database, quoted

NAME = "origin db"
"""Of the database that is dumped."""

_DEADLINE_SECONDS = 120.0
_LOADING_ROLE = re.compile(r"\bpgr_[0-9a-f]{8}\b")
"""A drill's own superuser: it owns what names no owner, as `postgres` does by hand."""

_KEYS = re.compile(r"\\(?:un)?restrict .*")
_HARMLESS = re.compile(r'schema "public" already exists|language "plpgsql" already exists')


@dataclass(frozen=True)
class ByHand:
    """What PostgreSQL's own programs made of a dump.

    Attributes:
        contents: See `contents_of`; None if no database came out.
        complaints: Messages of the programs, without those that a drill must tolerate.
    """

    contents: Counter[str] | None
    complaints: tuple[str, ...]


class Origin:
    """A running server with the roles of `ROLES`, and a directory for its dumps."""

    def __init__(self, cluster: Cluster, dumps: Path) -> None:
        self.cluster = cluster
        self.dumps = dumps
        for role in ROLES:
            cluster.sql(f"create role {quoted(role)}")
        self.globals = cluster.dump_all(dumps / "globals.sql", "--globals-only")

    @property
    def major(self) -> int:
        """Major of the server."""
        return self.cluster.programs.major

    def fill(self, database: Database) -> None:
        """Make the database `NAME` anew. Statements that this server refuses are left out."""
        self._drop()
        self.cluster.sql(f"create database {quoted(NAME)} template template0")
        with self.cluster.connect(NAME) as connection:
            for statement in database.statements:
                try:
                    connection.execute(statement.encode())
                except psycopg.Error:
                    # E.g. a foreign key onto a partition, or a rule that forbids a row.
                    continue

    def dump(self, form: str, options: Sequence[str]) -> Path | None:
        """Dump the database; return the path, or None if pg_dump refuses the options."""
        path = self.dumps / f"dump.{form}"
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        done = self._run("pg_dump", "-F", form[0], "-f", str(path), *options, NAME)
        if done.returncode:
            return None
        return path

    def dump_all(self, options: Sequence[str]) -> Path | None:
        """Dump the whole cluster; return the path, or None if pg_dumpall refuses the options."""
        path = self.dumps / "all.sql"
        path.unlink(missing_ok=True)
        done = self._run("pg_dumpall", "-f", str(path), *options)
        return None if done.returncode else path

    def by_hand(self, path: Path, form: str, *, creates: bool) -> ByHand:
        """Restore a dump beside its origin.

        Args:
            path: The dump.
            form: Its form.
            creates: Whether it makes its own database (--create).
        """
        self.cluster.sql(f"alter database {quoted(NAME)} rename to aside")
        try:
            where = "postgres" if creates else NAME
            if not creates:
                self.cluster.sql(f"create database {quoted(NAME)} template template0")
            if form == "plain":
                done = self._run(
                    "psql", "-X", "-q", "-o", "/dev/null", "-d", where, "-f", str(path)
                )
            else:
                create = ("--create",) if creates else ()
                done = self._run("pg_restore", *create, "-d", where, str(path))
            complaints = tuple(
                line
                for line in done.stderr.splitlines()
                if "ERROR" in line and not _HARMLESS.search(line)
            )
            return ByHand(self.contents(), complaints)
        finally:
            self._drop()
            self.cluster.sql(f"alter database aside rename to {quoted(NAME)}")

    def contents(self) -> Counter[str] | None:
        """Return the contents of the database `NAME`."""
        programs = self.cluster.programs
        return contents_of(programs.path("pg_dump"), [*self.cluster.arguments(), "-d", NAME])

    def _drop(self) -> None:
        self.cluster.sql(f"drop database if exists {quoted(NAME)} (force)")

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [str(self.cluster.programs.path(tool)), *self.cluster.arguments(), *arguments]
        return _run(argv)


def contents_of(pg_dump: Path, connection: Sequence[str]) -> Counter[str] | None:
    """Return every line that pg_dump writes of a database, with how often; None if it fails.

    Rows of equal tables may come in another order, so lines are counted and not compared in order.
    """
    done = _run([str(pg_dump), *connection])
    if done.returncode:
        return None
    same = _LOADING_ROLE.sub("postgres", _KEYS.sub("", done.stdout))
    return Counter(same.split("\n"))


def _run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        check=False,
        timeout=_DEADLINE_SECONDS,
        env={**child_environment(), "PGCLIENTENCODING": "UTF8", "PGTZ": "UTC"},
    )


@contextmanager
def origin(major: int) -> Iterator[Origin]:
    """Start an origin of a major; everything is gone afterwards."""
    directory = short_directory()
    try:
        with Cluster.create(directory / "c", major) as cluster:
            dumps = directory / "dumps"
            dumps.mkdir(mode=0o777)
            dumps.chmod(0o777)
            yield Origin(cluster, dumps)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
