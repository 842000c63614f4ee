"""Output of a program in a container is complete, also if it comes with the response's head."""

from __future__ import annotations

import http.client
import socket
import tempfile
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.exec import _read_frames, _reader

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


def frame(kind: int, content: bytes) -> bytes:
    """Return one chunk of a stream as the daemon sends it."""
    return bytes([kind, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def printed(
    ends: tuple[socket.socket, socket.socket], at_once: bytes, later: bytes
) -> tuple[bytes, bytes]:
    """Return what is read when `at_once` comes in one packet with the head of the response."""
    ours, theirs = ends
    theirs.sendall(HEAD + at_once)
    answer = http.client.HTTPResponse(ours)
    answer.begin()
    theirs.sendall(later)
    theirs.close()
    # As docker-py returns them: the raw socket, and the response on it.
    stream = SimpleNamespace(_response=SimpleNamespace(raw=SimpleNamespace(_fp=answer)))
    with answer, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        _read_frames(_reader(stream), ours, (out, err), "psql", time.monotonic() + 60)
        out.seek(0)
        err.seek(0)
        return out.read(), err.read()


@pytest.mark.parametrize(
    "split", range(0, len(frame(1, b"PostgreSQL 18")) + len(frame(2, b"a warning")) + 1, 3)
)
def test_output_is_complete_wherever_the_first_packet_ends(
    ends: tuple[socket.socket, socket.socket], split: int
) -> None:
    """A quick program has ended before the head is read."""
    everything = frame(1, b"PostgreSQL 18") + frame(2, b"a warning")

    assert printed(ends, everything[:split], everything[split:]) == (b"PostgreSQL 18", b"a warning")


def test_a_chunk_of_gigabytes_is_no_answer_of_a_daemon(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """It would be collected in memory before it is written."""
    with pytest.raises(HarnessError, match="sent 4,294,967,295 bytes at once while psql ran"):
        printed(ends, bytes([1, 0, 0, 0]) + b"\xff" * 4, b"x")
