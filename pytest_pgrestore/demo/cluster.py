"""A small production server with WAL archiving, for the demo, the scenarios and the tests."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sandboxes.local.find_programs import choose
from pytest_pgrestore.sandboxes.local.programs import LocalPrograms, reachable_installation
from pytest_pgrestore.system.account import server_account
from pytest_pgrestore.system.process import child_environment, die_with_parent, spawn
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    import psycopg

    from pytest_pgrestore.system.process import Completed

SUPERUSER = "postgres"
PORT = 5432
DEADLINE_SECONDS = 120.0
_STOP_SECONDS = 30.0


class Cluster:
    """A production server in a directory of its own: Unix socket, superuser `postgres`, WAL archived by copying.

    Use `create`, and the result as a context manager: the server ends with the block.

    Args:
        directory: Holds ``data``, ``archive``, ``log``; must be short enough for a socket.
        programs: PostgreSQL's programs.
    """

    def __init__(self, directory: Path, programs: LocalPrograms) -> None:
        self.directory = directory
        self.programs = programs
        self.data = directory / "data"
        self.archive = directory / "archive"
        self.log = directory / "server.log"
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def create(
        cls,
        directory: Path,
        major: int | None = None,
        *,
        wal_segment_mib: int = 1,
        settings: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> Cluster:
        """Make a cluster of `major` (None: the newest found) below `directory`, and start it.

        Raises:
            HarnessError: No programs of that major, or the server does not start.
        """
        account = server_account(user)
        directory.mkdir(parents=True, exist_ok=True)
        account.own(directory)
        installation = reachable_installation(choose(major), account, directory / "programs")
        cluster = cls(directory, LocalPrograms(installation, account, DEADLINE_SECONDS, directory))
        cluster.archive.mkdir(mode=0o700)
        account.own(cluster.archive)
        cluster.programs.run(
            "initdb",
            "--pgdata",
            str(cluster.data),
            "--username",
            SUPERUSER,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--data-checksums",
            "--no-sync",
            f"--wal-segsize={wal_segment_mib}",
        )
        cluster.start(settings)
        return cluster

    def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Start the server and wait until it answers."""
        import psycopg

        wanted = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "archive_mode": "on",
            "archive_command": f"test ! -f '{self.archive}/%f' && cp %p '{self.archive}/%f'",
            "log_timezone": "UTC",
            "timezone": "UTC",
            "fsync": "off",
            "max_wal_senders": "4",
            **({"summarize_wal": "on"} if self.programs.major >= 17 else {}),  # noqa: PLR2004 - where it came
            **(settings or {}),
        }
        argv = [str(self.programs.path("postgres")), "-D", str(self.data)]
        argv += [word for name, value in wanted.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._child = spawn(
                argv,
                env=child_environment(),
                streams=(log, subprocess.STDOUT),
                account=self.programs.account,
                prepare=die_with_parent(signal.SIGQUIT),
            )

        def answers() -> bool:
            if self._child is not None and self._child.poll() is not None:
                raise HarnessError(
                    f"the lab's server ended: {self.log.read_text()[-500:]}", hint="read its log."
                )
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                return False
            return True

        try:
            wait_until(answers, what="the lab's server", timeout_seconds=DEADLINE_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server in an orderly way; nothing to do when it does not run."""
        if self._child is None:
            return
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def __enter__(self) -> Self:
        """Return the running cluster."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server and remove its data; the archive and the backups stay for whoever made the directory."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)

    def connect(self, database: str = "postgres", user: str = SUPERUSER) -> psycopg.Connection[Any]:
        """Open an autocommit connection."""
        import psycopg

        return psycopg.connect(
            host=str(self.directory), port=PORT, user=user, dbname=database, autocommit=True
        )

    def sql(
        self, query: str, *parameters: object, database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, empty for a statement without any."""
        with self.connect(database) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, query: str, *parameters: object, database: str = "postgres") -> Any:
        """Run one query and return the first column of its first row."""
        return self.sql(query, *parameters, database=database)[0][0]

    def now(self) -> datetime:
        """Return the server's clock, aware."""
        moment: datetime = self.value("select clock_timestamp()")
        return moment

    def lsn(self) -> Lsn:
        """Return the position where the next record will be written."""
        return Lsn.parse(self.value("select pg_current_wal_lsn()::text"))

    def restore_point(self, name: str) -> Lsn:
        """Make a named restore point; return its position."""
        return Lsn.parse(self.value("select pg_create_restore_point(%s)::text", name))

    def switch_wal(self) -> str:
        """Close the current segment and wait until it is archived; return its name."""
        # A record first, because a switch at the very start of a segment does nothing.
        self.sql("select pg_create_restore_point('switch')")
        name: str = self.value("select pg_walfile_name(pg_switch_wal())")
        wait_until(
            lambda: (self.archive / name).exists() and bool(self.value(_ARCHIVED, name)),
            what=f"archiving {name}",
            timeout_seconds=DEADLINE_SECONDS,
        )
        return name

    def arguments(self) -> list[str]:
        """Return the connection arguments of the client programs."""
        return ["--host", str(self.directory), "--port", str(PORT), "--username", SUPERUSER]

    def client(self, tool: str, *arguments: str) -> Completed:
        """Run a client program against this server, as the user it runs as."""
        return self.programs.run(tool, *self.arguments(), *arguments)

    def dump(self, path: Path, database: str, *arguments: str, form: str = "custom") -> Path:
        """Take a pg_dump of `database` into `path`; returns `path`."""
        self._writable(path.parent)
        self.client("pg_dump", "--format", form, "--file", str(path), *arguments, database)
        return path

    def dump_all(self, path: Path, *arguments: str) -> Path:
        """Take a pg_dumpall into `path`; ``--globals-only`` takes the roles alone."""
        self._writable(path.parent)
        self.client("pg_dumpall", "--file", str(path), *arguments)
        return path

    def base_backup(self, path: Path, *arguments: str) -> Path:
        """Take a pg_basebackup into `path`; returns `path`."""
        self._writable(path.parent)
        self.client(
            "pg_basebackup", "--pgdata", str(path), "--checkpoint", "fast", "--no-sync", *arguments
        )
        return path

    def _writable(self, folder: Path) -> None:
        """Make `folder`, and give what was made on the way to the server's user."""
        made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for parent in (*made, folder):
            self.programs.account.own(parent)


_ARCHIVED = "select last_archived_wal >= %s from pg_stat_archiver"


def short_directory() -> Path:
    """Return a new directory that every user can enter and whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(prefix="pgrlab-"))
    directory.chmod(0o755)
    return directory
