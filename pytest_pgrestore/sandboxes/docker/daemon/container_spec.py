"""The specification of a container, and the arguments, labels and mounts that follow from it.

Source: Docker Engine API, "Create a container" (HostConfig, Mounts).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sandboxes.docker.daemon.removal import EXPIRES, MANAGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_pgrestore.sandboxes.settings import DockerSettings
    from pytest_pgrestore.system.account import Account

_TEMPORARY_BYTES = 256 << 20
"""Size of /tmp beside a server: nothing of PostgreSQL's is there. It is memory of this machine."""

_LIFELINE = 'flock -x "$0" true; while [ -n "$1" ] && [ -e "$1" ]; do sleep 5; done'
"""First process: waits for the run's lock, then as long as the user keeps the drill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """The specification of a container.

    Attributes:
        labels: The run and the drill it belongs to.
        lock: File of this machine. The container ends when it gets an exclusive lock on it.
        passwd: File of this machine with the server's user, mounted as /etc/passwd.
        keep: File of this machine. While it exists the container lives on; None: never.
        reads: Files and directories mounted read-only, at the path they have here.
        writes: Directories of this machine mounted writable, at the path they have here.
        copy: Where the copy lives in it; None if it holds none.
        published: Whether the server's port is published on 127.0.0.1.
        network: Network of a container that no server runs in.
        tool: Whether a backup tool runs in it, whose temporary files may be large.
        shared: Volume of another container, mounted at `copy`; None makes a new one.
        capabilities: Capabilities it has more than others.
    """

    labels: Mapping[str, str]
    lock: Path
    passwd: Path
    keep: Path | None = None
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    copy: Path | None = None
    published: bool = False
    network: str = "none"
    tool: bool = False
    shared: str | None = None
    capabilities: tuple[str, ...] = ()


def all_labels(settings: DockerSettings, spec: ContainerSpec) -> dict[str, str]:
    """Return the labels of the container and its volume, with the time at which both expire."""
    expires = str(int(time.time() + settings.max_lifetime_seconds))
    return {MANAGED: "true", EXPIRES: expires, **spec.labels}


def arguments(settings: DockerSettings, account: Account, spec: ContainerSpec) -> dict[str, Any]:
    """Return the arguments of docker-py's `containers.run` that `spec` means."""
    # The first process is root's, and only waits. Programs run as another user, which has no
    # capability at all. If we are root, backup tools run as root too; DAC_OVERRIDE lets them read
    # every backup, as root on this machine can.
    reading = ["DAC_OVERRIDE"] if account.drop else []
    limit = ["timeout", "-s", "KILL", f"{settings.max_lifetime_seconds:.0f}"]
    return {
        "command": [*limit, "sh", "-c", _LIFELINE, str(spec.lock), str(spec.keep or "")],
        "entrypoint": [],
        "user": "0:0",
        "group_add": [] if account.drop else [str(group) for group in os.getgroups()],
        "network": None,
        "network_mode": "bridge" if spec.published else spec.network,
        "init": True,
        "auto_remove": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "cap_add": ["CHOWN", *reading, *spec.capabilities],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": settings.memory,
        "memswap_limit": settings.memory,
        "nano_cpus": None if settings.cpus is None else int(settings.cpus * 1e9),
        "pids_limit": settings.pids_limit,
        "shm_size": settings.shm_size,
        "stop_signal": "SIGKILL",
        "mounts": list(_mounts(settings, spec)),
    }


def _mounts(settings: DockerSettings, spec: ContainerSpec) -> Iterator[Any]:
    from docker.types import Mount

    # Mounts and not "volumes" (Binds): for those the daemon makes a directory if it does not find
    # the path (Docker docs, "Bind mounts": differences between -v and --mount).
    for path in sorted({spec.lock, *spec.reads}):
        yield Mount(str(path), str(path), type="bind", read_only=True)
    for path in spec.writes:
        yield Mount(str(path), str(path), type="bind")
    # initdb looks up the name of its user (PostgreSQL: `get_user_name` in src/common/username.c),
    # and the image does not know ours.
    yield Mount("/etc/passwd", str(spec.passwd), type="bind", read_only=True)
    temporary = Path("/tmp")  # noqa: S108 - the container's own
    if temporary not in spec.reads:
        size = None if spec.tool else _TEMPORARY_BYTES
        yield Mount(str(temporary), None, type="tmpfs", tmpfs_size=size)
    if spec.copy is not None:
        yield _mount_of_copy(settings, spec, str(spec.copy))


def _mount_of_copy(settings: DockerSettings, spec: ContainerSpec, target: str) -> Any:
    from docker.types import DriverConfig, Mount

    if spec.shared is not None:
        return Mount(target, spec.shared, type="volume", no_copy=True)
    if settings.storage == "bind":
        return Mount(target, target, type="bind")
    # Without a source the volume is anonymous: Docker removes it with the container
    # (docker container run --rm).
    driver = None
    if settings.storage == "tmpfs":
        # A volume in memory and not a mount of type tmpfs: only a volume can be shared with the
        # container of a backup tool (Docker docs, "tmpfs mounts": limitations).
        driver = DriverConfig("local", {"type": "tmpfs", "device": "tmpfs", "o": "mode=0700"})
    labels = all_labels(settings, spec)
    return Mount(target, None, type="volume", labels=labels, no_copy=True, driver_config=driver)
