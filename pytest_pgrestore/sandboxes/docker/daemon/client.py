"""The Docker daemon: finding it, calling it with a deadline, and its errors in one sentence."""

from __future__ import annotations

import socket
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.client import DockerClient

CALL_SECONDS = 60
"""Deadline of one call. A daemon that hangs is *could not verify*, not a job that never ends."""

DEFAULT_HOST = "unix:///var/run/docker.sock"

_CONNECTING = "docker.transport.unixconn"
"""Module of docker-py (7.2) that leaves its socket open when connecting fails."""

_MAPPED_USERS = {"name=rootless": "rootless", "name=userns": "with user namespaces (userns-remap)"}


@dataclass(frozen=True, slots=True)
class Engine:
    """A daemon that answered.

    Attributes:
        client: docker-py's client.
        host: Address of the daemon.
        version: Its version, as it reports it.
    """

    client: DockerClient
    host: str
    version: str

    @property
    def name(self) -> str:
        """Version and address, for errors and evidence."""
        return f"Docker {self.version} at {self.host}"


def connect() -> Engine:
    """Return the daemon that testcontainers uses too: ``DOCKER_HOST``, or the local socket.

    A process connects once to each address.

    Raises:
        HarnessError: It is absent, does not answer in time, or maps users. Files that a container
            writes would then belong to other users on this machine.
    """
    from testcontainers.core.docker_client import get_docker_host

    return _connect(get_docker_host() or DEFAULT_HOST)


@cache
def _connect(host: str) -> Engine:
    import docker

    with speaking(f"asking the Docker daemon at {host}"):
        client = docker.DockerClient(base_url=host, timeout=CALL_SECONDS, version="auto", **_tls())
        facts = client.info()
    for option, words in _MAPPED_USERS.items():
        if any(option in entry for entry in facts.get("SecurityOptions") or []):
            raise HarnessError(
                f"the Docker daemon at {host} runs {words}:"
                " files of a container would belong to other users",
                hint='set runtime = "local", which cuts the network off without root too,'
                " or use an ordinary daemon.",
            )
    return Engine(client, host, str(facts.get("ServerVersion", "unknown")))


def _tls() -> dict[str, Any]:
    from docker.utils import kwargs_from_env

    tls = kwargs_from_env().get("tls")
    return {"tls": tls} if tls else {}


@contextmanager
def speaking(what: str) -> Iterator[None]:
    """Turn errors of docker-py and of its connection into HarnessError.

    They do not mean that the backup is bad. docker-py does not translate errors of requests and
    urllib3, e.g. when the daemon dies in the middle.

    Args:
        what: The action, as in "starting the container".

    Raises:
        HarnessError: In place of any of them.
    """
    import requests
    import urllib3
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as exc:
        # The daemon's own message: it names the missing file, port or image.
        raise HarnessError(
            f"{what} failed: {_first_line(exc.explanation or exc)}", hint=_hint(exc)
        ) from exc
    except (requests.Timeout, TimeoutError) as exc:
        _hang_up(exc)
        raise HarnessError(
            f"{what} failed: the Docker daemon did not answer within {CALL_SECONDS:g} s",
            hint="look whether it hangs: docker info; its log says more.",
        ) from exc
    except (
        DockerException,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ConnectionError,
        FileNotFoundError,
        PermissionError,
        ValueError,
    ) as exc:
        _hang_up(exc)
        raise HarnessError(
            f"{what} failed: {_plainly(exc)}",
            hint='start Docker, or name the daemon in DOCKER_HOST, or set runtime = "local":'
            " `pgrestore doctor` says what is here.",
        ) from exc


def _hang_up(exc: BaseException) -> None:
    """Close the socket that docker-py could not connect.

    Only the traceback holds it. The garbage collector would warn about it in a user's test.
    """
    error: BaseException | None = exc
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_globals["__name__"] == _CONNECTING:
                held = frame.f_locals.get("sock")
                if isinstance(held, socket.socket):
                    held.close()
        error = error.__cause__ or error.__context__


_MEANINGS = (
    (
        ("FileNotFoundError", "Connection refused", "ConnectionRefused"),
        "no Docker daemon answers there",
    ),
    (
        ("PermissionError", "Permission denied"),
        "this user may not speak to the Docker daemon (is it in the group docker?)",
    ),
    (("timed out",), "the Docker daemon did not answer within {seconds:g} s"),
    (
        ("Connection aborted", "Connection reset", "RemoteDisconnected", "BrokenPipe"),
        "the Docker daemon ended in the middle",
    ),
)
"""Words in a connection error, and the message to show: its own text is nested class names.

The order counts: "Connection aborted" also wraps the errors above it.
"""


def _plainly(exc: BaseException) -> str:
    text = f"{type(exc).__name__} {exc}"
    for words, message in _MEANINGS:
        if any(word in text for word in words):
            return message.format(seconds=CALL_SECONDS)
    return _first_line(exc)


def _hint(exc: Any) -> str:
    text = str(exc)
    if "bind source path does not exist" in text:
        return (
            "the daemon does not see the files of this machine (a remote DOCKER_HOST, or pytest"
            " in a container of its own): run where the daemon runs,"
            ' or set runtime = "local".'
        )
    if "no space left" in text.lower():
        return "free the disk that holds Docker's data (docker system df)."
    if "docker-init" in text:
        return "install docker-init (tini) beside the daemon."
    return "the daemon's log says more; `pgrestore doctor` says what is here."


def _first_line(text: object) -> str:
    lines = str(text).strip().splitlines()
    return lines[0] if lines else "no reason given"


def boot_identity() -> str:
    """Return host name and boot id: they identify the machine of a container's owner.

    Source: random(4), /proc/sys/kernel/random/boot_id.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = "unknown"
    return f"{socket.gethostname()}/{boot}"
