"""A fake production that records every access, and copies of it that carry one hazard each."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.demo.cluster import PORT, Cluster, short_directory
from pytest_pgrestore.sources.basebackup.source import BasebackupSource

if TYPE_CHECKING:
    import psycopg

ROWS = 100
LOGIN_TRIGGERS_SINCE = 17

OWN_LOOKS = 2
"""Connections of `Production.traces` itself, which the next look counts."""

NAIVE = {"wal_level": "logical", "max_wal_senders": "10", "max_prepared_transactions": "5"}
"""Settings without which the copy does not start."""

PREPARATION = (
    "create table ledger (i int primary key)",
    f"insert into ledger select generate_series(1, {ROWS})",
    "create table touched (who text)",
    "create role rescue superuser login",
    "create publication everything for table ledger",
    "create extension dblink",
    "create extension postgres_fdw",
    "select pg_create_logical_replication_slot('mirror', 'pgoutput')",
    "select pg_create_physical_replication_slot('standby1', true)",
)


@dataclass(frozen=True)
class Traces:
    """The traces that a copy can leave in production. Equal ones mean that it was not there."""

    connections: int
    files: tuple[tuple[str, int, int], ...]
    archive: tuple[tuple[str, int, int], ...]
    slots: tuple[tuple[object, ...], ...]
    rows: tuple[tuple[object, ...], ...]


class Production:
    """A live cluster with archive, tablespace, slots and publication, on a loopback address.

    Args:
        cluster: The running server.
        address: Where it listens; the socket is in ``cluster.directory``.
    """

    def __init__(self, cluster: Cluster, address: str) -> None:
        self.cluster = cluster
        self.address = address
        self.hooks = cluster.directory / "hooks"
        self.space = cluster.directory / "space"
        self._copies = 0

    def conninfo(self, host: str | None = None) -> str:
        """Return a connection string to this server: by TCP, or through the socket in `host`."""
        where = f"host={host or self.address} port={PORT}"
        return f"{where} user=postgres dbname=postgres connect_timeout=5"

    def traces(self) -> Traces:
        """Return the traces. The log is read first, because the queries connect too."""
        log = self.cluster.log.read_text()
        slots = self.cluster.sql(
            "select slot_name, active, restart_lsn::text, confirmed_flush_lsn::text"
            " from pg_replication_slots order by 1"
        )
        rows = self.cluster.sql(
            "select 'ledger', count(*)::text from ledger"
            " union all select 'touched', who from touched"
        )
        watched = [
            self.hooks,
            self.space,
            self.cluster.data / "postmaster.pid",
            self.cluster.directory / "prod.pid",
        ]
        return Traces(
            log.count("connection received"),
            tuple(_listing(*watched)),
            tuple(_listing(self.cluster.archive)),
            tuple(slots),
            tuple(rows),
        )

    def copy(self) -> Path:
        """Take a copy like a storage snapshot: with slots, pid file and links to tablespaces."""
        self._copies += 1
        path = self.cluster.directory / f"copy-{self._copies}"
        with self.rescue("template1") as session:
            session.execute("select pg_backup_start('snapshot', true)")
            # WAL comes from the archive; what is in the copy may be of a later moment.
            copied = subprocess.run(
                ["cp", "-a", str(self.cluster.data), str(path)],
                capture_output=True,
                text=True,
                check=False,
            )
            stopped = session.execute(
                "select labelfile, spcmapfile from pg_backup_stop()"
            ).fetchone()
        assert stopped is not None
        # What production removes while it is read is in no backup either.
        assert all(
            line.endswith("No such file or directory") for line in copied.stderr.splitlines()
        ), copied.stderr
        (path / "backup_label").write_text(stopped[0])
        (path / "tablespace_map").write_text(stopped[1])
        for entry in (path / "pg_wal").iterdir():
            if entry.is_file():
                entry.unlink()
        return path

    def rescue(self, database: str) -> psycopg.Connection[Any]:
        """Open a connection as a role that no hazard changes."""
        return self.cluster.connect(database, user="rescue")

    def source(self, copy: Path) -> BasebackupSource:
        """Return the source that restores `copy`."""
        return BasebackupSource(
            "shop",
            str(copy),
            wal=str(self.cluster.archive),
            verify=False,
            linked_paths=[self.space],
        )

    @contextmanager
    def naive(self, copy: Path, settings: dict[str, str]) -> Iterator[Cluster]:
        """Start `copy` without care: as it is, with no more than a port and socket of its own."""
        place = short_directory()
        shutil.move(copy, place / "data")
        for name in ("postmaster.pid", "postmaster.opts"):
            (place / "data" / name).unlink(missing_ok=True)
        for link in (place / "data" / "pg_tblspc").iterdir():
            subprocess.run(["cp", "-a", str(link.resolve()), str(place / link.name)], check=True)
            link.unlink()
            link.symlink_to(place / link.name)
        (place / "data" / "tablespace_map").unlink()
        if not (place / "data" / "standby.signal").exists():
            (place / "data" / "recovery.signal").touch()
        self.cluster.programs.account.own_tree(place)
        cluster = Cluster(place, self.cluster.programs)
        try:
            cluster.start(
                {**NAIVE, "restore_command": f"cp {self.cluster.archive}/%f %p", **settings}
            )
            yield cluster
        finally:
            cluster.stop()
            shutil.rmtree(place)


def _listing(*places: Path) -> Iterator[tuple[str, int, int]]:
    for place in places:
        for path in sorted([place, *place.rglob("*")]):
            # Reading a directory does not change its time, writing to it does.
            found = path.stat()
            yield str(path), found.st_size, found.st_mtime_ns


@contextmanager
def production(major: int) -> Iterator[Production]:
    """Run a fake production of `major` that logs every connection."""
    directory = short_directory()
    address = "127." + ".".join(str(random.randint(1, 254)) for _ in range(3))  # noqa: S311 - not a secret
    settings = {
        "listen_addresses": address,
        "log_connections": "on",
        "wal_level": "logical",
        # Copies are subscribers too. Production itself must not use the slot.
        "max_logical_replication_workers": "0",
        "max_prepared_transactions": "5",
        "max_wal_senders": "10",
        "checkpoint_timeout": "1d",
        "external_pid_file": str(directory / "c" / "prod.pid"),
    }
    try:
        with Cluster.create(directory / "c", major, settings=settings) as cluster:
            made = Production(cluster, address)
            for folder in (made.hooks, made.space):
                folder.mkdir()
                cluster.programs.account.own(folder)
            with (cluster.data / "pg_hba.conf").open("a") as hba:
                hba.write(
                    f"host all all {address}/8 trust\nhost replication all {address}/8 trust\n"
                )
            cluster.sql("select pg_reload_conf()")
            for statement in PREPARATION:
                cluster.sql(statement)
            cluster.sql(f"create tablespace extra location '{made.space}'")
            cluster.sql("create table spaced tablespace extra as select generate_series(1, 7) i")
            cluster.sql("checkpoint")
            yield made
    finally:
        shutil.rmtree(directory, ignore_errors=True)


Text = Callable[[Production], str]


@dataclass(frozen=True)
class Hazard:
    """One thing a copy can carry.

    Attributes:
        name: For the test's id.
        sql: Statements run in production before the copy is taken; `{tcp}` is its conninfo.
        undo: Statements that take it back.
        undo_in: Database to run them in.
        lines: Lines of the copied configuration; see `spelled` for `{tcp}` and the like.
        files: Files written into the copy, by name.
        acts: Statements run in the restored copy, each of which has to fail.
        since: First major that knows it.
    """

    name: str
    sql: Sequence[str] = ()
    undo: Sequence[str] = ()
    undo_in: str = "postgres"
    lines: Sequence[str] = ()
    files: dict[str, str] = field(default_factory=dict)
    acts: Sequence[str] = ()
    since: int = 15

    def spelled(self, texts: Sequence[str], made: Production) -> list[str]:
        """Return `texts` with production's own paths and addresses."""
        words = {
            "{tcp}": made.conninfo(),
            "{address}": made.address,
            "{hooks}": str(made.hooks),
            "{data}": str(made.cluster.data),
            "{pid}": str(made.cluster.directory / "prod.pid"),
            "{archive}": str(made.cluster.archive),
        }
        found = list(texts)
        for name, value in words.items():
            found = [text.replace(name, value) for text in found]
        return found

    @contextmanager
    def carried_by(self, made: Production) -> Iterator[Path]:
        """Take a copy of production while it has the hazard, and write the copy's files."""
        with made.rescue("postgres") as session:
            for statement in self.spelled(self.sql, made):
                session.execute(statement.encode())
        try:
            copy = made.copy()
        finally:
            with made.rescue(self.undo_in) as session:
                for statement in self.spelled(self.undo, made):
                    session.execute(statement.encode())
        for name in ("postgresql.conf", "postgresql.auto.conf"):
            with (copy / name).open("a") as stream:
                stream.writelines(f"{line}\n" for line in self.spelled(self.lines, made))
        for name, text in self.files.items():
            (copy / name).write_text(text)
        yield copy
        shutil.rmtree(copy, ignore_errors=True)


_FDW = (
    (
        "create server production foreign data wrapper postgres_fdw"
        " options (host '{address}', dbname 'postgres')"
    ),
    (
        "create user mapping for public server production"
        " options (user 'postgres', password_required 'false')"
    ),
    "create foreign table far (who text) server production options (table_name 'touched')",
)

SUBSCRIBE = (
    "create subscription mirror connection '{tcp}' publication everything"
    " with (connect = false, slot_name = 'mirror')"
)
_AT_LOGIN = (
    "create function at_login() returns event_trigger language plpgsql as $$ begin"
    " if current_setting('data_directory') <> '{data}' then"
    " perform dblink_exec('{tcp}', 'insert into touched values (''login'')'); end if; end $$"
)

HAZARDS = (
    Hazard("nothing but a snapshot: slots, pid file, links to tablespaces"),
    Hazard(
        "archive_command", lines=["archive_mode = on", "archive_command = 'cp %p {archive}/%f'"]
    ),
    Hazard("archive_library", lines=["archive_mode = on", "archive_library = 'basic_archive'"]),
    Hazard("archive_cleanup_command", lines=["archive_cleanup_command = 'rm {archive}/*'"]),
    Hazard("recovery_end_command", lines=["recovery_end_command = 'touch {hooks}/promoted'"]),
    Hazard("restore_command", lines=["restore_command = 'touch {hooks}/%f; false'"]),
    Hazard(
        "subscription",
        sql=[
            SUBSCRIBE,
            "alter subscription mirror enable",
        ],
        undo=[
            "alter subscription mirror disable",
            "alter subscription mirror set (slot_name = none)",
            "drop subscription mirror",
        ],
    ),
    Hazard(
        "standby",
        lines=["primary_conninfo = '{tcp}'", "primary_slot_name = 'standby1'", "hot_standby = on"],
        files={"standby.signal": ""},
    ),
    Hazard("library that is there", lines=["shared_preload_libraries = 'pg_prewarm'"]),
    Hazard(
        "library that is missing", lines=["shared_preload_libraries = 'a_library_that_is_not_here'"]
    ),
    Hazard(
        "session library by role",
        sql=["alter role postgres set session_preload_libraries = 'not_here'"],
        undo=["alter role postgres reset session_preload_libraries"],
    ),
    Hazard(
        "session library by database",
        sql=["alter database postgres set session_preload_libraries = 'not_here'"],
        undo=["alter database postgres reset session_preload_libraries"],
        undo_in="template1",
    ),
    Hazard(
        "settings by role",
        sql=[
            "alter role postgres set role = 'pg_monitor'",
            "alter role postgres set statement_timeout = 1",
        ],
        undo=["alter role postgres reset role", "alter role postgres reset statement_timeout"],
    ),
    Hazard(
        "foreign table",
        sql=_FDW,
        undo=["drop server production cascade"],
        acts=["insert into far values ('copy')"],
    ),
    Hazard("dblink", acts=["select dblink_exec('{tcp}', 'insert into touched values (''copy'')')"]),
    Hazard(
        "login trigger",
        sql=[
            _AT_LOGIN,
            "create event trigger gate on login execute function at_login()",
            "alter event trigger gate enable always",
        ],
        undo=["drop event trigger gate", "drop function at_login"],
        since=LOGIN_TRIGGERS_SINCE,
    ),
    Hazard(
        "prepared transaction",
        sql=["begin; insert into ledger values (-1); prepare transaction 'left_over'"],
        undo=["rollback prepared 'left_over'"],
    ),
    Hazard("data_directory", lines=["data_directory = '{data}'"]),
    Hazard("external_pid_file", lines=["external_pid_file = '{pid}'"]),
    Hazard("broken include", lines=["include = '/nonexistent/extra.conf'"]),
    Hazard("include_dir", lines=["include_dir = '{hooks}'"]),
    Hazard("unknown setting", lines=["edb_audit = 'xml'"]),
    Hazard("foreign locale", lines=["lc_messages = 'no_SUCH.locale'"]),
    Hazard("too much memory", lines=["shared_buffers = 64GB", "huge_pages = on"]),
    Hazard("recovery_min_apply_delay", lines=["recovery_min_apply_delay = '1h'"]),
    Hazard("synchronous_standby_names", lines=["synchronous_standby_names = '*'"]),
    Hazard("scram only", files={"pg_hba.conf": "local all all scram-sha-256\n"}),
    Hazard("certificates only", files={"pg_hba.conf": "hostssl all all 0.0.0.0/0 cert\n"}),
)
