"""A real HTTP server on 127.0.0.1 that takes notices, or is dead, slow, rude or somewhere else."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "c0ffee00-4711-4711-4711-0123456789ab"  # noqa: S105 - of no service
"""Stands for the secret in each address."""

TROUBLES = ("dead", "silent", "trickling", "redirecting", "answers 500", "not HTTP")
"""What the other side may do instead of taking a notice."""


@dataclass(frozen=True)
class Taken:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Takes requests, and keeps them.

    Args:
        behaviour: One of `TROUBLES`, or "well", "answers two at once", "silent at the end", or
            "answers OK (not found)", as healthchecks.io does for a check that it does not have.

    Attributes:
        taken: The requests so far.
        elsewhere: Requests that came where a redirect pointed to.
    """

    def __init__(self, behaviour: str = "well") -> None:
        self.taken: list[Taken] = []
        self.elsewhere: list[Taken] = []
        self._behaviour = behaviour
        self._stopped = threading.Event()
        self._two = threading.Barrier(2)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._answer(self)

            do_PUT = do_GET = do_POST  # noqa: N815 - likewise

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def url(self, path: str = f"/{TOKEN}") -> str:
        """Return an address with a secret in it."""
        return f"http://127.0.0.1:{self.port}{path}"

    def paths(self) -> list[str]:
        """Return the paths of the requests, without their queries."""
        return [one.path.partition("?")[0] for one in self.taken]

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in request.headers.items()}
        one = Taken(request.command, request.path, headers, request.rfile.read(length))
        if request.path.startswith("/elsewhere"):
            self.elsewhere.append(one)
            request.send_response(200)
            request.end_headers()
            return
        self.taken.append(one)
        if self._behaviour == "silent at the end":
            self._behave(request, "well" if "/start?" in request.path else "silent")
        else:
            self._behave(request, self._behaviour)

    def _behave(self, request: BaseHTTPRequestHandler, behaviour: str) -> None:
        match behaviour:
            case "silent":
                self._stopped.wait()
            case "trickling":
                request.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not self._stopped.wait(0.1):
                    try:
                        request.wfile.write(b"X-More: and more\r\n")
                    except OSError:
                        return
            case "redirecting":
                request.send_response(302)
                request.send_header("Location", self.url("/elsewhere"))
                request.end_headers()
            case "answers two at once":
                with suppress(threading.BrokenBarrierError):
                    self._two.wait()
                request.send_response(200)
                request.end_headers()
            case "answers OK (not found)":
                request.send_response(200)
                request.end_headers()
                request.wfile.write(b"OK (not found)")
            case "answers 500":
                request.send_response(500)
                request.end_headers()
            case "not HTTP":
                request.wfile.write(b"\x00\xff" * 100)
            case _:
                request.send_response(200)
                request.end_headers()

    @contextmanager
    def serving(self) -> Iterator[Receiver]:
        """Serve until the body has ended."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            self._two.abort()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@contextmanager
def receiver(behaviour: str = "well") -> Iterator[Receiver]:
    """Serve on a free port; with "dead" nobody listens there."""
    found = Receiver(behaviour)
    if behaviour == "dead":
        found._server.server_close()
        # Held, so that no other test gets the port; a socket that does not listen refuses.
        with socket.socket() as held:
            held.bind(("127.0.0.1", found.port))
            yield found
        return
    with found.serving():
        yield found
