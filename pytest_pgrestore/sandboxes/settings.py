"""How a sandbox is set up: what both kinds take, and what a container takes beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_BASE_IMAGE = "postgres:{major}"
MAX_LIFETIME_SECONDS = 12 * 3600.0
"""A container ends after this even when nobody removes it: longer than any drill, shorter than a forgotten weekend."""

Storage = Literal["volume", "tmpfs", "bind"]
ConnectBy = Literal["socket", "port"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSettings:
    """What the user may choose.

    Attributes:
        image: An image of the user's own that has the server; ``{major}`` is replaced. None builds one.
        base_image: What ours is built on; ``{major}`` is replaced.
        packages: Debian packages added to it, e.g. extensions.
        locales: Locales generated in it, e.g. ``de_DE.UTF-8``.
        pull: Whether a missing image may be pulled.
        build_network: Network of the build, e.g. ``host``; None is Docker's default.
        tool_network: Docker network of a backup tool whose repository is remote; servers never have one.
        storage: Where the copy lives: an anonymous volume, memory, or a directory of this machine.
        connect_by: How the harness reaches the server: a Unix socket, or a port on 127.0.0.1.
        memory: Limit, e.g. ``2g``; None is none.
        cpus: Limit; None is none.
        pids_limit: Limit of processes and threads.
        shm_size: Size of /dev/shm, which parallel queries use.
        ryuk: Whether testcontainers' reaper watches too.
        directory: Where sockets and logs (and with storage "bind" the copy) lie; None is the temporary directory.
        user: Whom root drops to; None is nobody.
        timeout_seconds: Deadline of one tool or one wait.
        max_lifetime_seconds: A container ends after this, whatever happens to us.
    """

    image: str | None = None
    base_image: str = DEFAULT_BASE_IMAGE
    packages: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    pull: bool = True
    build_network: str | None = None
    tool_network: str = "bridge"
    storage: Storage = "volume"
    connect_by: ConnectBy = "socket"
    memory: str | None = None
    cpus: float | None = None
    pids_limit: int = 1024
    shm_size: str = "256m"
    ryuk: bool = False
    directory: Path | None = None
    user: str | None = None
    timeout_seconds: float = 3600.0
    max_lifetime_seconds: float = MAX_LIFETIME_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """How the local sandbox is set up.

    Attributes:
        bindir: Directory of PostgreSQL's programs; None looks everywhere.
        directory: Where copies live while a drill runs; None is the system's temporary directory.
        user: Whom root drops to; None is nobody.
        timeout_seconds: Deadline of one tool or one wait.
        max_lifetime_seconds: How long copies may live, kept ones too; then the watchdog removes them.
    """

    bindir: Path | None = None
    directory: Path | None = None
    user: str | None = None
    timeout_seconds: float = 3600.0
    max_lifetime_seconds: float = 12 * 3600.0
