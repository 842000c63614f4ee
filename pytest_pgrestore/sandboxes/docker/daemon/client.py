"""The Docker daemon: finding it, speaking to it with a deadline, and putting its troubles into one sentence."""

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
"""Deadline of one question to the daemon; a daemon that hangs is *could not verify*, not a job that never ends."""

DEFAULT_HOST = "unix:///var/run/docker.sock"

_CONNECTING = "docker.transport.unixconn"
"""Module of docker-py whose socket stays open where connecting fails."""

_MAPPED_USERS = {"name=rootless": "rootless", "name=userns": "with user namespaces (userns-remap)"}


@dataclass(frozen=True, slots=True)
class Engine:
    """A daemon that answered.

    Attributes:
        client: docker-py's client.
        host: Address of the daemon.
        version: Its version, as it says.
    """

    client: DockerClient
    host: str
    version: str

    @property
    def name(self) -> str:
        """The daemon in words, for errors and evidence."""
        return f"Docker {self.version} at {self.host}"


def connect() -> Engine:
    """Return the daemon testcontainers would use too: ``DOCKER_HOST``, or the local socket; once per process.

    Raises:
        HarnessError: It is absent, does not answer in time, or maps users so that our files would not be ours.
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
                f"the Docker daemon at {host} runs {words}: files of a container would belong to other users",
                hint='set runtime = "local", which cuts the network off without root too, or use an ordinary daemon.',
            )
    return Engine(client, host, str(facts.get("ServerVersion", "unknown")))


def _tls() -> dict[str, Any]:
    from docker.utils import kwargs_from_env

    tls = kwargs_from_env().get("tls")
    return {"tls": tls} if tls else {}


@contextmanager
def speaking(what: str) -> Iterator[None]:
    """Translate what docker-py and the connection below it raise: it says nothing about the backup.

    Args:
        what: What was being done, as in "starting the container".

    Raises:
        HarnessError: In place of any of them.
    """
    import requests
    import urllib3
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as exc:
        # The daemon's own words: they name the missing file, port, image.
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
            hint='start Docker, or name the daemon in DOCKER_HOST, or set runtime = "local": `pgrestore doctor`'
            " says what is here.",
        ) from exc


def _hang_up(exc: BaseException) -> None:
    """Close the socket docker-py could not connect: left to the garbage collector it would warn in a user's test."""
    error: BaseException | None = exc
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            held = (
                frame.f_locals.get("sock") if frame.f_globals["__name__"] == _CONNECTING else None
            )
            if isinstance(held, socket.socket):
                held.close()
        error = error.__cause__ or error.__context__


def _plainly(exc: BaseException) -> str:
    """Return what a connection error means: its text is a nest of class names."""
    text = f"{type(exc).__name__} {exc}"
    if "FileNotFoundError" in text or "Connection refused" in text or "ConnectionRefused" in text:
        return "no Docker daemon answers there"
    if "PermissionError" in text or "Permission denied" in text:
        return "this user may not speak to the Docker daemon (is it in the group docker?)"
    if "timed out" in text:
        return f"the Docker daemon did not answer within {CALL_SECONDS:g} s"
    if any(
        words in text
        for words in ("Connection aborted", "Connection reset", "RemoteDisconnected", "BrokenPipe")
    ):
        return "the Docker daemon ended in the middle"
    return _first_line(exc)


def _hint(exc: Any) -> str:
    text = str(exc)
    if "bind source path does not exist" in text:
        return (
            "the daemon does not see the files of this machine (a remote DOCKER_HOST, or pytest in a container of its"
            ' own): run where the daemon runs, or set runtime = "local".'
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
    """Return what tells this boot of this machine from every other: the owner of a container must be found again."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = "unknown"
    return f"{socket.gethostname()}/{boot}"
