"""A small production server that archives its WAL: started, queried, stopped."""

from __future__ import annotations

import shutil
import signal
import subprocess
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


SUPERUSER = "postgres"
PORT = 5432
DEADLINE_SECONDS = 120.0
_STOP_SECONDS = 30.0

_SUMMARIES_SINCE = 17
"""First major with WAL summaries, which incremental backups need (docs, "summarize_wal")."""

_ARCHIVED = "select last_archived_wal >= %s from pg_stat_archiver"


class Server:
    """A production server in a directory of its own: Unix socket, superuser `postgres`.

    Its WAL is archived by copying. Call `create`, and use the result as a context manager: the
    server ends with the block.

    Args:
        directory: Holds ``data``, ``archive`` and ``server.log``. Its path must be short, because
            it is part of the socket's path (107 bytes on Linux, see unix(7)).
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
    ) -> Self:
        """Make a cluster below `directory`, and start it.

        Args:
            directory: See the class; made if it is not there.
            major: Server major; None is the newest one found.
            wal_segment_mib: Size of a WAL segment.
            settings: Settings of the server beside ours.
            user: Operating system user of the server; see `server_account`.

        Raises:
            HarnessError: No programs of that major, or the server does not start.
        """
        account = server_account(user)
        directory.mkdir(parents=True, exist_ok=True)
        account.own(directory)
        installation = reachable_installation(choose(major), account, directory / "programs")
        server = cls(directory, LocalPrograms(installation, account, DEADLINE_SECONDS, directory))
        server.archive.mkdir(mode=0o700)
        account.own(server.archive)
        server.programs.run(
            "initdb",
            *("--pgdata", str(server.data)),
            *("--username", SUPERUSER),
            *("--auth", "trust"),
            *("--encoding", "UTF8"),
            *("--locale", "C.UTF-8"),
            "--data-checksums",
            "--no-sync",
            f"--wal-segsize={wal_segment_mib}",
        )
        server.start(settings)
        return server

    def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Start the server and wait until it answers.

        Raises:
            HarnessError: It ended, or did not answer in time.
        """
        wanted = {**self._settings(), **(settings or {})}
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
        try:
            wait_until(self._answers, what="the lab's server", timeout_seconds=DEADLINE_SECONDS)
        except BaseException:
            self.stop()
            raise

    def _settings(self) -> dict[str, str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "archive_mode": "on",
            "archive_command": f"test ! -f '{self.archive}/%f' && cp %p '{self.archive}/%f'",
            "log_timezone": "UTC",
            "timezone": "UTC",
            "fsync": "off",
            "max_wal_senders": "4",
        }
        if self.programs.major >= _SUMMARIES_SINCE:
            settings["summarize_wal"] = "on"
        return settings

    def _answers(self) -> bool:
        import psycopg

        if self._child is not None and self._child.poll() is not None:
            raise HarnessError(
                f"the lab's server ended: {self.log.read_text()[-500:]}", hint="read its log."
            )
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop the server with a checkpoint; nothing happens when it does not run."""
        if self._child is None:
            return
        if self._child.poll() is None:
            # A fast shutdown (PostgreSQL docs, "Shutting Down the Server").
            self._child.send_signal(signal.SIGINT)
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server and remove its data. The archive and the backups are left."""
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
        """Return the server's time, aware."""
        moment: datetime = self.value("select clock_timestamp()")
        return moment

    def lsn(self) -> Lsn:
        """Return the position where the next record will be written."""
        return Lsn.parse(self.value("select pg_current_wal_lsn()::text"))

    def restore_point(self, name: str) -> Lsn:
        """Make a restore point; return its position."""
        return Lsn.parse(self.value("select pg_create_restore_point(%s)::text", name))

    def switch_wal(self) -> str:
        """Close the current segment and wait until it is archived; return its name."""
        # A record first: without new WAL pg_switch_wal does nothing (docs, "Backup Control
        # Functions").
        self.sql("select pg_create_restore_point('switch')")
        name: str = self.value("select pg_walfile_name(pg_switch_wal())")
        wait_until(
            lambda: (self.archive / name).exists() and bool(self.value(_ARCHIVED, name)),
            what=f"archiving {name}",
            timeout_seconds=DEADLINE_SECONDS,
        )
        return name
