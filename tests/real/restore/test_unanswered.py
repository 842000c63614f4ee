"""Servers that let us in and do not answer, answer without end, or are not the one we started."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from pytest_pgrestore.demo.cluster import PORT, Cluster, short_directory
from pytest_pgrestore.demo.server import SUPERUSER
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.restore.quarantine.settings import question_options
from pytest_pgrestore.system.bounded_connection import (
    BoundedConnection,
    NoAnswerError,
    ask,
    client_conninfo,
    connect,
)
from tests.real.worlds import MAJORS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

HANG_SECONDS = 120
"""A wait without an end must fail here, and not hang."""

SECONDS = 2.0
"""Deadline of a question that gets no answer."""

SECRET = "prod" + "password-5c1e"


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    def hangs(_number: int, _frame: Any) -> None:
        raise TimeoutError("the wait had no end")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(HANG_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module", params=MAJORS)
def server(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A server that tests stop and let go on."""
    with Cluster.create(short_directory(), request.param) as cluster:
        yield cluster


def postmaster(cluster: Cluster) -> int:
    """Return the process id of the server."""
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


def asked(cluster: Cluster, place: Path | None = None, **changes: Any) -> BoundedConnection:
    """Connect as our own questions do; `place` is another directory of the socket."""
    address = {"host": str(place or cluster.directory), "port": str(PORT)}
    wanted = client_conninfo(
        address,
        user=SUPERUSER,
        dbname=changes.pop("dbname", "postgres"),
        options=question_options(cluster.programs.major),
    )
    return ask(wanted, **({"timeout_seconds": 60.0, "server": postmaster(cluster)} | changes))


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process for the body."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_stopped_server_ends_the_login(server: Cluster) -> None:
    """The kernel accepts for it: it listens, and reads nothing."""
    with stopped(postmaster(server)), pytest.raises(psycopg.OperationalError, match="timeout"):
        asked(server, timeout_seconds=SECONDS)


def test_a_stopped_session_ends_the_question(server: Cluster) -> None:
    """statement_timeout is kept by the very process that does not go on."""
    connection = asked(server, timeout_seconds=SECONDS)
    with (
        stopped(connection.info.backend_pid),
        pytest.raises(NoAnswerError, match="no answer for 2 s"),
    ):
        connection.execute("select 1")
    assert connection.closed


def test_a_question_that_sleeps_is_given_up_by_both(server: Cluster) -> None:
    """The server ends it too, so that nothing of it goes on in a copy that is kept."""
    connection = asked(server, timeout_seconds=SECONDS)
    sleeper = connection.info.backend_pid
    with pytest.raises(NoAnswerError):
        connection.execute("select pg_sleep(3600)")

    with asked(server) as other:
        while other.execute("select 1 from pg_stat_activity where pid = %s", [sleeper]).fetchone():
            other.execute("select pg_sleep(0.05)")


def test_an_answer_without_an_end_is_given_up(server: Cluster) -> None:
    """Each row is small; libpq keeps all of them until the last has come."""
    with asked(server) as connection, pytest.raises(NoAnswerError, match="bytes of memory"):
        connection.execute("select repeat('x', 1000), generate_series(1, 1000000000)")


def test_an_answer_in_time_is_an_answer(server: Cluster) -> None:
    """The healthy counterpart, of the user's connections too: long answers included."""
    with asked(server) as connection:
        assert connection.execute("select count(*) from pg_class").fetchone()
    address = {"host": str(server.directory), "port": str(PORT)}
    theirs = client_conninfo(address, user=SUPERUSER, dbname="postgres")
    with connect(theirs, timeout_seconds=60.0) as connection:
        rows = connection.execute("select repeat('x', 1000) from generate_series(1, 200000)")
        assert len(rows.fetchall()) == 200_000


def test_names_that_are_not_utf8_are_read(server: Cluster) -> None:
    """A database of encoding SQL_ASCII holds any bytes, and no error may come of them."""
    with asked(server) as connection:
        connection.execute(
            "create database plain_bytes encoding 'SQL_ASCII' locale 'C' template template0"
        )
    with server.connect("plain_bytes") as connection:
        connection.execute(b'create table public."A\xff" ()')
    with asked(server, dbname="plain_bytes") as connection:
        names = connection.execute("select relname from pg_class where oid > 16384").fetchall()

    assert ("A\\xff",) in names


def test_an_impostor_at_the_socket_is_refused(server: Cluster, place: Path) -> None:
    """It passes everything on, so every answer is right: only the kernel knows who listens."""
    with relay(server, place):
        with pytest.raises(HarnessError, match="listens at the server's socket"):
            asked(server, place)
        # The counterpart: nothing but the peer is wrong.
        with asked(server, place, server=None) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_no_password_of_the_users_is_given_to_a_server_that_asks(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of a CI job holds production's."""
    passfile = place / "pgpass"
    passfile.write_text(f"*:*:*:*:{SECRET}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    monkeypatch.setenv("PGPASSWORD", SECRET)
    heard: list[bytes] = []
    with listening(place, lambda end: heard.append(ask_for_password(end))):
        wanted = client_conninfo({"host": str(place), "port": str(PORT)}, user="u", dbname="d")
        with pytest.raises(psycopg.OperationalError):
            ask(wanted, timeout_seconds=SECONDS, server=None)
    assert heard
    assert SECRET.encode() not in b"".join(heard)


def ask_for_password(end: socket.socket) -> bytes:
    """Ask a client for its password in clear text, and return what it says.

    Source: PostgreSQL docs, "Message Formats", AuthenticationCleartextPassword.
    """
    end.recv(10_000)
    end.sendall(b"R" + struct.pack("!ii", 8, 3))
    return end.recv(10_000)


@contextmanager
def listening(place: Path, serve: Any) -> Iterator[None]:
    """Listen where a server's socket would be; `serve` gets each connection."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / f".s.PGSQL.{PORT}"))
        listener.listen()

        def accept() -> None:
            while True:
                try:
                    end, _ = listener.accept()
                except OSError:
                    return
                with end:
                    serve(end)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def relay(server: Cluster, place: Path) -> Iterator[None]:
    """Pass on what comes to a socket in `place`, and what the server says to it."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def serve(end: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as real:
            real.connect(str(server.directory / f".s.PGSQL.{PORT}"))
            back = threading.Thread(target=pump, args=(real, end), daemon=True)
            back.start()
            pump(end, real)
            back.join()

    with listening(place, serve):
        yield
