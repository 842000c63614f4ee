"""Running one program inside a container: argv list, input fed, output kept, deadline kept.

Source: Docker Engine API, "Exec" and "Attach to a container" (stream format: 8 bytes of header before each chunk).
"""

from __future__ import annotations

import socket as sockets
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.client import speaking
from pytest_pgrestore.system.process import Completed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine

_HEADER = 8
_CHUNK = 1 << 16
_STDERR = 2
_GRACE_SECONDS = 5.0
"""How much later than our own deadline the container's `timeout` ends a program whose client has gone."""


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
        stdin: Chunks for its standard input. An exception of the iterable ends the program and is passed on.

    Raises:
        HarnessError: It did not end in time, or the daemon went away.
    """
    limit = f"{timeout_seconds + _GRACE_SECONDS:.0f}"
    api = engine.client.api
    # A program outlives the client that started it: `timeout` ends it even when we are gone.
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
            raw = getattr(stream, "_sock", stream)
            feeder = _Feeder(raw, stdin) if stdin is not None else None
            try:
                _read_frames(_reader(stream), raw, (out, err), time.monotonic() + timeout_seconds)
            except TimeoutError:
                raise HarnessError(
                    f"{_name(argv)} did not end within {timeout_seconds:g} s",
                    hint="raise --pgrestore-timeout, or read what it was doing in the saved log.",
                ) from None
            finally:
                _close(stream, raw)
                if feeder is not None:
                    feeder.finish()
            status = api.exec_inspect(created["Id"])["ExitCode"]
        if feeder is not None and feeder.error is not None:
            raise feeder.error
        if status is None:
            # No status is no success: the connection ended before the program did.
            raise HarnessError(
                f"{_name(argv)} was cut off: the container or the Docker daemon ended in the middle",
                hint="read the saved logs, and the daemon's.",
            )
        return Completed(tuple(argv), int(status), _text(out), _text(err))


def _name(argv: Sequence[str]) -> str:
    return argv[0].rpartition("/")[2]


def _reader(stream: Any) -> IO[bytes]:
    """Return what reads the connection: a quick program's output comes with the answer's head, into its buffer.

    docker-py hands out the socket below that buffer, where such output never arrives.
    """
    reader: IO[bytes] = stream._response.raw._fp.fp  # noqa: SLF001 - docker-py itself takes the socket from there
    return reader


def _read_frames(
    reader: Any, raw: Any, streams: tuple[IO[bytes], IO[bytes]], deadline: float
) -> None:
    """Write what the program prints to its two streams until the connection ends."""
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
            if len(waiting) < _HEADER + size:
                break
            streams[1 if waiting[0] == _STDERR else 0].write(waiting[_HEADER : _HEADER + size])
            waiting = waiting[_HEADER + size :]


class _Feeder:
    """Writes chunks to the program's standard input from a thread, so the deadline keeps its meaning."""

    def __init__(self, raw: Any, chunks: Iterable[bytes]) -> None:
        self.error: BaseException | None = None
        self._raw = raw
        self._chunks = chunks
        self._thread = threading.Thread(target=self._feed, name="pgrestore-stdin", daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        try:
            for chunk in self._chunks:
                self._raw.sendall(chunk)
        except OSError:
            return  # the program ended first; its own status says why
        except BaseException as exc:  # noqa: BLE001 - handed to the caller, in its own thread
            self.error = exc
        try:
            self._raw.shutdown(sockets.SHUT_WR)
        except OSError:
            pass

    def finish(self) -> None:
        """Wait until the thread has let go of the connection."""
        self._thread.join()


def _close(stream: Any, raw: Any) -> None:
    try:
        raw.shutdown(sockets.SHUT_RDWR)  # wakes a feeder that is still writing
    except OSError:
        pass
    # docker-py keeps the answer the connection came with; unclosed it would warn in the user's test run.
    answer = getattr(stream, "_response", stream)
    answer.close()
    raw.close()


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    # backslashreplace, never surrogateescape: a lone surrogate kills an xdist worker.
    return stream.read().decode("utf-8", errors="backslashreplace")
