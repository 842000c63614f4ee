"""Connections that never wait without end: a server may let us in and never answer.

Imports psycopg; therefore imported inside functions only.

`statement_timeout` is kept by the server, and a hostile one does not keep it. A cancel asks the
server too, and waits for its word (docs of libpq, "Canceling Queries in Progress"). So it is the
client that gives up here, and it closes the connection when it does.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import waiting
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from psycopg.abc import Buffer

    Waiting = Generator[Any, Any, "ValueT"]

ValueT = TypeVar("ValueT")

ANSWER_BYTES = 128 * 1024 * 1024
"""What the answer to one question of ours may take of memory.

The largest real one, a list of a million objects, takes a third of it. An answer without an end
would take all memory of the machine.
"""

NO_PASSFILE = "/dev/null/none"
"""Path that can never be made. The user's password file must not be read for a server of ours."""

_LOOK_SECONDS = 0.1
"""Time between two looks at the clock while nothing comes, and until Ctrl-C is seen."""

_PEER = struct.Struct("3i")
"""Process, user and group of a peer: ``struct ucred`` (unix(7), SO_PEERCRED)."""

_TEXTS = ("text", "name", "varchar", "bpchar", '"char"')


class NoAnswerError(HarnessError, psycopg.OperationalError):
    """The server did not answer in time, or without an end: nothing was learned."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose every wait ends; after a wait that ended early it is closed.

    Attributes:
        timeout_seconds: Longest wait for one answer.
        answer_bytes: Most memory that one answer may take; None is without limit.
        answer_hint: What to do about a longer one.
    """

    timeout_seconds = math.inf
    answer_bytes: int | None = None
    answer_hint = "no catalogue that is as it should be has so long an answer."

    def wait(
        self, gen: Waiting[ValueT], interval: float = _LOOK_SECONDS, *args: Any, **kwargs: Any
    ) -> ValueT:
        """Wait for `gen` as psycopg does, but no longer than `timeout_seconds`.

        Raises:
            NoAnswerError: That time, or that memory, was not enough.
        """
        try:
            bounded, look = self._bounded(gen), min(interval, _LOOK_SECONDS)
            return waiting.wait(bounded, self.pgconn.socket, look, *args, **kwargs)
        except BaseException as exc:
            # An interruption too: psycopg would cancel, and wait for what the server says to that.
            if isinstance(exc, NoAnswerError) or not isinstance(exc, psycopg.Error):
                self.pgconn.finish()
            raise

    def _bounded(self, gen: Waiting[ValueT]) -> Waiting[ValueT]:
        """Yield what `gen` waits for, until it ends or a limit is passed."""
        deadline = time.monotonic() + self.timeout_seconds
        memory = math.inf if self.answer_bytes is None else _resident_bytes() + self.answer_bytes
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if time.monotonic() >= deadline:
                    raise NoAnswerError(
                        f"the restored server gave no answer for {self.timeout_seconds:g} s",
                        hint="raise --pgrestore-timeout, or read the saved server log.",
                    )
                if memory < math.inf and _resident_bytes() > memory:
                    raise NoAnswerError(
                        f"the answer takes more than {self.answer_bytes:,} bytes of memory",
                        self.answer_hint,
                    )
                wanted = gen.send(ready)
        except StopIteration as end:
            value: ValueT = end.value
            return value


class _TolerantLoader(Loader):
    """Loads text that need not be UTF-8: a database of encoding SQL_ASCII holds any bytes."""

    def load(self, data: Buffer) -> str:
        """Return the text with what is not UTF-8 escaped."""
        return bytes(data).decode("utf-8", "backslashreplace")


def client_conninfo(client_address: Mapping[str, str], **parameters: Any) -> str:
    """Return a connection string for a throwaway server, with nothing of the user's for it.

    A server can ask for a password. libpq would take PGPASSWORD or the user's password file then,
    and a hostile server would have production's password (docs of libpq, "The Password File").
    """
    return make_conninfo(
        **{
            "password": "",
            "passfile": NO_PASSFILE,
            "sslmode": "disable",
            "gssencmode": "disable",
            "target_session_attrs": "any",
            **client_address,
            **parameters,
        }
    )


def connect(
    conninfo: str, *, timeout_seconds: float, login_seconds: float | None = None, **changes: Any
) -> BoundedConnection:
    """Return a connection for statements of the user's, in a transaction that is not begun.

    Args:
        conninfo: How to connect.
        timeout_seconds: Longest wait for one answer.
        login_seconds: Longest wait for the login, unless `conninfo` has one; None is the same.
        changes: Parameters of the connection that take the place of those in `conninfo`.

    Raises:
        psycopg.OperationalError: The server refused, or did not answer in time.
    """
    login = timeout_seconds if login_seconds is None else min(login_seconds, timeout_seconds)
    # psycopg itself keeps connect_timeout, also on a Unix socket. It takes whole seconds, from 2.
    words = {"connect_timeout": max(2, math.ceil(login)), **conninfo_to_dict(conninfo), **changes}
    connection = BoundedConnection.connect(make_conninfo(**words))
    connection.timeout_seconds = timeout_seconds
    return connection


def ask(
    conninfo: str,
    *,
    timeout_seconds: float,
    server: int | None,
    login_seconds: float | None = None,
    **changes: Any,
) -> BoundedConnection:
    """Return a connection for questions of our own, in autocommit mode.

    Args:
        conninfo: How to connect, with the options of our questions.
        timeout_seconds: Longest wait for one answer.
        server: The process that must listen at the socket; None where it is not known.
        login_seconds: Longest wait for the login; None is the same.
        changes: Parameters of the connection that take the place of those in `conninfo`.

    Raises:
        psycopg.OperationalError: The server refused, or did not answer in time.
        HarnessError: Another process listens at the socket, or the socket is a link.
    """
    _refuse_link({**conninfo_to_dict(conninfo), **changes})
    connection = connect(
        conninfo,
        timeout_seconds=timeout_seconds,
        login_seconds=login_seconds,
        client_encoding="UTF8",
        **changes,
    )
    connection.autocommit = True
    connection.answer_bytes = ANSWER_BYTES
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        # The server refuses to send text that is not UTF-8 to a client of that encoding.
        connection.execute("set client_encoding to SQL_ASCII")
    for name in _TEXTS:
        connection.adapters.register_loader(name, _TolerantLoader)
    peer = peer_of(connection)
    if server is not None and peer is not None and peer != server:
        connection.close()
        raise HarnessError(
            f"process {peer} listens at the server's socket, and not the server (process {server})",
            hint="something in the backup took the socket: keep the saved logs, and find out who"
            " can write the backup.",
        )
    return connection


def _refuse_link(words: Mapping[str, Any]) -> None:
    """Refuse a link in the place of the server's socket, before another server sees us log in.

    Source: docs of libpq, "host": a path is the directory of the socket.
    """
    directory = str(words.get("host", ""))
    name = Path(directory) / f".s.PGSQL.{words.get('port', '')}"
    if directory.startswith("/") and name.is_symlink():
        raise HarnessError(
            f"the server's socket {name} is a link",
            hint="something in the backup put it there: keep the saved logs, and find out who can"
            " write the backup.",
        )


def peer_of(connection: psycopg.Connection[Any]) -> int | None:
    """Return the process that listens at the socket of `connection`, by the kernel's word.

    None where there is none to tell: through TCP, on other systems, from another PID namespace.

    Source: unix(7), SO_PEERCRED: the credentials are those at the time of listen(2).
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    with socket.socket(fileno=os.dup(connection.pgconn.socket)) as end:
        if end.family != socket.AF_UNIX:
            return None
        found = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid: int = _PEER.unpack(found)[0]
    return pid or None


def _resident_bytes() -> float:
    """Return the memory of this process; 0 where the system does not show it.

    Source: proc(5), /proc/pid/statm, field 2.
    """
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0.0
    return float(int(pages) * os.sysconf("SC_PAGE_SIZE"))
