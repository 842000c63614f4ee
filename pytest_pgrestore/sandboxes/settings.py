"""How a sandbox is set up: what both kinds take, and what each kind takes beside it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from pytest_pgrestore.model.sandbox_choice import Confine, ConnectBy, Storage

DEFAULT_BASE_IMAGE = "postgres:{major}"
MAX_LIFETIME_SECONDS = 12 * 3600.0
"""Longer than any drill, shorter than a weekend in which a copy is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """What every kind of sandbox takes.

    Attributes:
        directory: Where the run's directory lies; None is the system's temporary directory.
        user: The unprivileged user that root changes to; None is nobody.
        timeout_seconds: Deadline of one tool or one wait.
        max_lifetime_seconds: How long copies may live, kept ones too. Then they are removed.
        confine: Whether processes of this machine are confined; see `confinement.choose`.
    """

    directory: Path | None = None
    user: str | None = None
    timeout_seconds: float = 3600.0
    max_lifetime_seconds: float = MAX_LIFETIME_SECONDS
    confine: Confine = "auto"

    @classmethod
    def from_table(cls, table: Mapping[str, Any], **overrides: Any) -> Self:
        """Return settings whose fields are taken by name from `overrides`, then from `table`.

        A list becomes a tuple. None leaves the default. Other keys of `table` are ignored.
        """
        given = {**table, **overrides}
        values: dict[str, Any] = {
            field.name: tuple(value) if isinstance(value, list) else value
            for field in fields(cls)
            if (value := given.get(field.name)) is not None
        }
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings(SandboxSettings):
    """How the local sandbox is set up.

    Attributes:
        bindir: Directory of PostgreSQL's programs; None searches the usual places.
    """

    bindir: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSettings(SandboxSettings):
    """How the docker sandbox is set up.

    Attributes:
        image: An image of the user's own that has the server; ``{major}`` is replaced. None
            builds one.
        base_image: What our image is built on; ``{major}`` is replaced.
        packages: Debian packages added to it, e.g. extensions.
        locales: Locales generated in it, e.g. ``de_DE.UTF-8``.
        pull: Whether a missing image may be pulled.
        build_network: Network of the build, e.g. ``host``; None is Docker's default.
        tool_network: Docker network of a backup tool with a remote repository. Servers have none.
        storage: Where the copy lives: an anonymous volume, memory, or a directory of this machine.
        connect_by: How the harness reaches the server: a Unix socket, or a port on 127.0.0.1.
        memory: Limit, e.g. ``2g``; None is no limit.
        cpus: Limit; None is no limit.
        pids_limit: Limit of processes and threads.
        shm_size: Size of /dev/shm, which parallel queries use.
        ryuk: Whether the reaper of testcontainers runs too.
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
