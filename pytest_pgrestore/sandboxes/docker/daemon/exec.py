"""Running one program inside a container, to its end, with a deadline.

Source: Docker Engine API, "Exec"; "Attach to a container" for the stream format: a header of
8 bytes before each chunk.
"""

from __future__ import annotations

import socket as sockets
import tempfile
import time
from typing import IO, TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.client import speaking
from pytest_pgrestore.system import process_output as output
from pytest_pgrestore.system.feeder import Feeder
from pytest_pgrestore.system.process import Completed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine

CANNOT_RUN = (126, 127)
"""Exit status for a program that cannot be executed, or does not exist (POSIX, sh)."""

_HEADER = 8
_LARGEST_FRAME = 16 << 20
"""The daemon sends what it reads at once: 32 KiB (moby, `pools.Copy`). More is no such stream."""

_CHUNK = 1 << 16
_STDERR = 2
_GRACE_SECONDS = 5.0
"""The container's `timeout` ends a program this much later than our own deadline does."""


def execute(
    engine: Engine,
    container: str,
    argv: Sequence[str],
    *,
    user: str,
    env: Mapping[str, str],
    timeout_seconds: float,
    stdin: Iterable[bytes] | None = None,
) -> Completed:
    """Run `argv` in `container` and return what it printed.

    Args:
        engine: The daemon.
        container: Identity of a running container.
        argv: Program and arguments; never a secret.
        user: ``uid:gid`` it runs as.
        env: Its variables, on top of the container's.
        timeout_seconds: It is killed when this passes, inside the container too.
        stdin: Chunks for its standard input. An exception of the iterable ends the program and is
            raised here.

    Raises:
        HarnessError: It did not end in time, or the daemon went away.
    """
    limit = f"{timeout_seconds + _GRACE_SECONDS:.0f}"
    api = engine.client.api
    # A program goes on when the client of its exec has gone. `timeout` ends it.
    guarded = ["timeout", "-s", "KILL", limit, *argv]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with speaking(f"running {argv[0]} in the container"):
            created = api.exec_create(
                container,
                guarded,
                stdin=stdin is not None,
                user=user,
                environment=dict(env),
                workdir="/",
            )
            stream = api.exec_start(created["Id"], socket=True)
            feeder = _converse(stream, stdin, (out, err), _name(argv), timeout_seconds)
            status = api.exec_inspect(created["Id"])["ExitCode"]
        if feeder is not None:
            feeder.raise_error()
        if status is None:
            # The connection ended before the program did. That is no success.
            raise HarnessError(
                f"{_name(argv)} was cut off:"
                " the container or the Docker daemon ended in the middle",
                hint="read the saved logs, and the daemon's.",
            )
        return Completed(tuple(argv), int(status), output.whole(out, argv[0]), output.ends_of(err))


def _name(argv: Sequence[str]) -> str:
    return argv[0].rpartition("/")[2]


def _converse(
    stream: Any,
    stdin: Iterable[bytes] | None,
    streams: tuple[IO[bytes], IO[bytes]],
    name: str,
    timeout_seconds: float,
) -> Feeder | None:
    """Feed a program and read its output until it ends; return the feeder, if there is input."""
    raw = getattr(stream, "_sock", stream)
    feeder = None
    if stdin is not None:
        feeder = Feeder(stdin, raw.sendall, lambda: raw.shutdown(sockets.SHUT_WR))
    try:
        _read_frames(_reader(stream), raw, streams, name, time.monotonic() + timeout_seconds)
    except TimeoutError:
        raise HarnessError(
            f"{name} did not end within {timeout_seconds:g} s",
            hint="raise --pgrestore-timeout, or read what it was doing in the saved log.",
        ) from None
    finally:
        _close(stream, raw)
        if feeder is not None:
            feeder.finish()
    return feeder


def _reader(stream: Any) -> IO[bytes]:
    """Return the buffered reader of the connection.

    Output of a quick program comes in one packet with the head of the daemon's response, and so
    into this buffer. docker-py returns the socket below the buffer (`_get_raw_response_socket` in
    docker/api/client.py, 7.2), where such output never arrives.
    """
    response = stream._response  # noqa: SLF001 - docker-py puts it there, in the same function
    reader: IO[bytes] = response.raw._fp.fp  # noqa: SLF001 - docker-py takes the socket from there
    return reader


def _read_frames(
    reader: Any, raw: Any, streams: tuple[IO[bytes], IO[bytes]], name: str, deadline: float
) -> None:
    """Write what the program prints to its two streams until the connection ends.

    Raises:
        TimeoutError: The deadline passed.
        HarnessError: It prints more than any answer has, or the daemon sends something else.
    """
    waiting = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        raw.settimeout(left)
        chunk = reader.read1(_CHUNK)
        if not chunk:
            return
        waiting += chunk
        while len(waiting) >= _HEADER:
            size = int.from_bytes(waiting[4:_HEADER], "big")
            if size > _LARGEST_FRAME:
                raise HarnessError(
                    f"the Docker daemon sent {size:,} bytes at once while {name} ran",
                    hint="is there a proxy between this machine and the daemon?",
                )
            if len(waiting) < _HEADER + size:
                break
            streams[1 if waiting[0] == _STDERR else 0].write(waiting[_HEADER : _HEADER + size])
            waiting = waiting[_HEADER + size :]
        if output.is_endless(streams):
            raise output.too_much(name)


def _close(stream: Any, raw: Any) -> None:
    try:
        raw.shutdown(sockets.SHUT_RDWR)  # wakes a feeder that is still writing
    except OSError:
        pass
    # docker-py keeps the response of the connection. Left open it would warn in the user's tests.
    getattr(stream, "_response", stream).close()
    raw.close()
