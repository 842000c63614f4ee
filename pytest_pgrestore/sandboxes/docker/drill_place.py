"""A drill's directory on this machine: what its container mounts from it, and who owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.base_sandbox import (
    SOCKET_ONLY_HBA,
    SOCKETS,
    passable,
    write_config_files,
)
from pytest_pgrestore.sandboxes.docker.port_login import PORT_HBA

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.system.account import Account

STARTS = 6
"""Starts of a server that have a log of their own, which is mounted before the first of them.

A drill starts its server two or three times. More starts share the last log.
"""

_WRITTEN = "starts"
"""Directory of the logs that the container writes. Each gets its name among the logs when used."""


def prepare(place: Path, account: Account) -> None:
    """Make what the container mounts from this machine.

    The server's user owns the directory of the socket and the files of the logs. Everything else is
    ours: programs of the copy can make no file or link where we write.

    Raises:
        HarnessError: The file system refuses.
    """
    try:
        for folder in (place, place / "logs", place / _WRITTEN, place / "config"):
            folder.mkdir()
            folder.chmod(passable(account))
        (place / SOCKETS).mkdir(mode=0o700)
        account.own(place / SOCKETS)
        for log in _written_logs(place):
            log.touch(mode=0o600, exist_ok=False)
            account.own(log)
        write_config_files(place / "config", SOCKET_ONLY_HBA + PORT_HBA)
    except OSError as exc:
        raise HarnessError(
            f"could not make {place}: {exc.strerror}",
            hint="free the disk or set sandbox.directory to a place that can be written.",
        ) from exc


def written_in(place: Path) -> tuple[Path, ...]:
    """Return what the server writes in `place`: its socket's directory, and its logs.

    The logs are mounted one by one. In a directory of theirs it could make links, which this
    machine would follow.
    """
    return place / SOCKETS, *_written_logs(place)


def log_name(start: int) -> str:
    """Return the name of the log of the server's start with this number."""
    return f"server-{min(start, STARTS)}.log"


def begin_log(log: Path) -> Path:
    """Give the file of a start its name `log`; return the name it has in the container."""
    written = log.parent.parent / _WRITTEN / log.name
    if not log.exists():
        log.hardlink_to(written)
    return written


def _written_logs(place: Path) -> tuple[Path, ...]:
    return tuple(place / _WRITTEN / log_name(start) for start in range(1, STARTS + 1))
