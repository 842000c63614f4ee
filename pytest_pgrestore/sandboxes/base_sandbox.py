"""What both kinds of sandboxes share: the layout, the files of the configuration, the start."""

from __future__ import annotations

import json
import signal
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import Teardown
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.system import network, process_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_pgrestore.system.account import Account

SOCKETS = "s"
"""Directory of the server's socket, below the drill's. Short: a socket path has 107 bytes."""

PORT = 5432
"""Number in the socket's name; with ``connect_by = "port"`` also the port in the container."""

SOCKET_ONLY_HBA = "local all all trust\nlocal replication all trust\n"
"""Whoever reaches the socket may log in: its directory is open to one user only."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
"""Fast shutdown, immediate shutdown, kill (PostgreSQL docs, "Shutting Down the Server")."""


class BaseSandbox(ABC):
    """Directories of one drill, and the start of its server.

    Args:
        place: The drill's directory on this machine: sockets, logs, configuration.
        root: Directory of the copy; the same as `place`, or another one.
    """

    port = PORT

    def __init__(self, place: Path, root: Path) -> None:
        self.place = place
        self.root = root
        self.data = root / "data"
        self.tablespaces = root / "tablespaces"
        self.wal = root / "wal"
        self.logs = place / "logs"
        self.socket_directory = place / SOCKETS
        self.config = place / "config"
        self._starts = 0

    @property
    @abstractmethod
    def account(self) -> Account:
        """The unprivileged user the server runs as."""

    @abstractmethod
    def exit_status(self) -> int | None:
        """Return the server's exit status, negative for a signal; None while it runs."""

    @abstractmethod
    def _launch(self, argv: list[str]) -> dict[str, str | int]:
        """Start the server with `argv`, whose first entry is ``postgres``; return its record."""

    @property
    def client_address(self) -> dict[str, str]:
        """How clients connect: by the socket."""
        return {"host": str(self.socket_directory), "port": str(self.port)}

    def adopt(self, path: Path) -> None:
        """Make the server's user the owner of a file or tree that we wrote.

        The directory of the tablespaces stays ours: only what is in it becomes the user's.
        """
        if path != self.tablespaces:
            self.account.own_tree(path)
            return
        for tablespace in path.iterdir():
            self.account.own_tree(tablespace)
        # pg_combinebackup closes a parent that it did not make.
        path.chmod(passable(self.account))

    def own_settings(self) -> dict[str, str]:
        """Return the settings that only the sandbox knows: its files, and where it listens."""
        return {
            "data_directory": str(self.data),
            "config_file": str(self.config / "postgresql.conf"),
            "hba_file": str(self.config / "pg_hba.conf"),
            "ident_file": str(self.config / "pg_ident.conf"),
            "listen_addresses": self._listen_addresses(),
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0700",
        }

    def _listen_addresses(self) -> str:
        return ""

    def start(self, settings: Mapping[str, str]) -> None:
        """Start PostgreSQL with `settings`; return at once, ready or not.

        Settings are arguments of ``postgres`` itself. pg_ctl would pass ``-o`` through a shell.

        Raises:
            HarnessError: A server runs already, or the sandbox refuses.
        """
        if self._runs():
            raise HarnessError(
                f"a server runs in {self.root} already", hint="this is a bug: please report it."
            )
        self._starts += 1
        argv = ["postgres", "-D", str(self.data)]
        for name, value in {**settings, **self.own_settings()}.items():
            argv += ["-c", f"{name}={value}"]
        (self.place / watchdog.SERVER).write_text(json.dumps(self._launch(argv)))

    @abstractmethod
    def _runs(self) -> bool:
        """Return whether a server that this process started runs."""

    def server_process(self) -> int | None:
        """Return the process id of the server; None if none was started."""
        server = watchdog.server_of(self.place)
        return None if server is None else server[0]

    def server_log(self) -> Path:
        """Return the file that holds the server's messages since the last start."""
        return self.logs / f"server-{self._starts}.log"

    def network_interfaces(self) -> list[str] | None:
        """Return the network interfaces of the running server; None if the system hides them."""
        server = watchdog.server_of(self.place)
        return None if server is None else network.interfaces_of(server[0])


def passable(account: Account) -> int:
    """Return the mode of a directory of ours that the server's user passes through."""
    return 0o711 if account.drop else 0o700


def write_config_files(config: Path, hba: str) -> None:
    """Write the server's configuration files to `config`: `hba`, and nothing else.

    The files that came with the backup are not read (settings config_file, hba_file, ident_file).
    """
    for name, text in (("postgresql.conf", ""), ("pg_hba.conf", hba), ("pg_ident.conf", "")):
        path = config / name
        path.write_text(text)
        path.chmod(0o644)  # the server's user reads them, whatever umask we have


def server_record(pid: int) -> dict[str, str | int]:
    """Return what names a server process later, for any process of the run and the watchdog."""
    return {"pid": pid, "started": process_table.start_time(pid) or ""}


def teardown_of(remains: list[str], proof: str) -> Teardown:
    """Return the outcome of a teardown.

    Args:
        remains: What is left, in words.
        proof: The message when nothing is left.
    """
    message = "left behind: " + ", ".join(remains) if remains else proof
    return Teardown(removed=not remains, message=message, at=datetime.now(UTC))
