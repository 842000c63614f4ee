"""One container: made by testcontainers, without network and privileges, with an end of its own; asked and removed.

Its first process waits for the lock every process of the run holds, and for the time limit: whatever kills us, the
kernel drops the lock, the container ends, and Docker removes it with the copy in it.

Source: Docker Engine API, "Containers"; flock(2); cgroup memory files of Linux (memory.events, memory.oom_control).
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.client import speaking
from pytest_pgrestore.sandboxes.docker.daemon.exec import execute
from pytest_pgrestore.sandboxes.docker.daemon.removal import EXPIRES, MANAGED, remove_all
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
    from pytest_pgrestore.sandboxes.docker.daemon.image import Image
    from pytest_pgrestore.sandboxes.settings import DockerSettings
    from pytest_pgrestore.system.account import Account
    from pytest_pgrestore.system.process import Completed

SERVER_PORT = 5432
_BEGINNING_SECONDS = 5.0
"""Of a process in a container: the runtime, whose it is at first, takes some milliseconds."""

_OOM_FILES = ("sys/fs/cgroup/memory.events", "sys/fs/cgroup/memory/memory.oom_control")
_OOM_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_LIFELINE = 'flock -x "$0" true; while [ -n "$1" ] && [ -e "$1" ]; do sleep 5; done'


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What a container is to be.

    Attributes:
        labels: Whose it is.
        lock: File of this machine whose exclusive lock ends it.
        passwd: File of this machine that knows the server's user, mounted as the container's own.
        keep: File of this machine that lets it live on after that, while it is there; None where nobody keeps it.
        reads: Files and directories mounted read-only, at the path they have here.
        writes: Directories of this machine mounted writable, at the path they have here.
        copy: Where the copy lives in it; None where it holds none.
        published: Whether the server's port is published on 127.0.0.1.
        network: Network of a container that no server runs in.
        shared: Volume of another container that it mounts where `copy` is; None makes one of its own.
        rights: Capabilities it has more than others.
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
    shared: str | None = None
    rights: tuple[str, ...] = ()


@dataclass(slots=True)
class Container:
    """A running container.

    Attributes:
        engine: Its daemon.
        identity: Its id.
        pid: A process of it that we may look into, as this machine counts; 0 where the daemon counts elsewhere.
        account: Whom programs run as.
        memory: Its limit in words, for errors.
    """

    engine: Engine
    identity: str
    pid: int
    account: Account
    memory: str | None = None

    @property
    def user(self) -> str:
        """``uid:gid`` of the server."""
        return f"{self.account.uid}:{self.account.gid}"

    @property
    def files(self) -> Path:
        """Its file system, seen from here (proc(5): /proc/pid/root)."""
        return Path(f"/proc/{self.pid}/root")

    def execute(
        self,
        argv: list[str],
        *,
        timeout_seconds: float,
        env: Mapping[str, str] | None = None,
        stdin: Iterable[bytes] | None = None,
        user: str | None = None,
    ) -> Completed:
        """Run a program in it; see `execute.execute`.

        Raises:
            HarnessError: As there, or the memory limit ended it.
        """
        done = execute(
            self.engine,
            self.identity,
            argv,
            user=user or self.user,
            env=env or {},
            timeout_seconds=timeout_seconds,
            stdin=stdin,
        )
        if done.status != 0:
            self.refuse_out_of_memory()
        return done

    def refuse_out_of_memory(self) -> None:
        """Say so when the kernel killed a process of it for memory: then nothing it did tells about the backup.

        Raises:
            HarnessError: It did.
        """
        why = self.why_ended()
        if why is not None:
            raise HarnessError(why, hint="raise sandbox.memory, or leave it out.")

    def why_ended(self) -> str | None:
        """Return why its processes may have ended that is no fault of theirs; None where nothing is known."""
        kills = self.oom_kills()
        if kills:
            limit = f" of {self.memory}" if self.memory else ""
            return f"the container ran out of its memory limit{limit}: the kernel killed {kills} of its processes"
        return None

    def oom_kills(self) -> int:
        """Return how many of its processes the kernel killed for memory, by its control group's own count."""
        for name in _OOM_FILES:
            try:
                match = _OOM_KILLS.search((self.files / name).read_text(encoding="ascii"))
            except OSError:
                continue
            if match:
                return int(match[1])
        return 1 if self.state().get("OOMKilled") else 0

    def state(self) -> dict[str, Any]:
        """Return what the daemon says of it (``State`` of its inspection); empty when it is gone."""
        from docker.errors import NotFound

        with speaking("asking for the state of the container"):
            try:
                found: dict[str, Any] = self.engine.client.api.inspect_container(self.identity)[
                    "State"
                ]
            except NotFound:
                return {}
        return found

    def volume_at(self, place: Path) -> str | None:
        """Return the name of the volume mounted at `place`; None where there is none."""
        with speaking("asking for the volumes of the container"):
            mounts = self.engine.client.api.inspect_container(self.identity)["Mounts"]
        return next(
            (mount.get("Name") for mount in mounts if mount["Destination"] == str(place)), None
        )

    def published_port(self) -> int:
        """Return the port of 127.0.0.1 that leads to the server.

        Raises:
            HarnessError: None was published.
        """
        with speaking("asking for the published port"):
            ports = self.engine.client.api.inspect_container(self.identity)["NetworkSettings"][
                "Ports"
            ]
        found = (ports or {}).get(f"{SERVER_PORT}/tcp")
        if not found:
            raise HarnessError("Docker published no port", hint="the daemon's log says why.")
        return int(found[0]["HostPort"])


def start(
    engine: Engine, image: Image, settings: DockerSettings, account: Account, spec: ContainerSpec
) -> Container:
    """Start a container that does nothing but wait for its end.

    Raises:
        HarnessError: The daemon refuses; nothing is left behind.
    """
    from testcontainers.core.container import DockerContainer

    labels = _all_labels(settings, spec)
    starting = f"starting a container of image {image.name}"
    with speaking(starting):  # it asks the daemon for its version
        made = DockerContainer(
            image.name,
            docker_client_kw={"timeout": engine.client.api.timeout},
            labels=labels,
            **_arguments(settings, account, spec),
        )
    if spec.published:
        # with_exposed_ports would open it to everybody; an address is passed on as docker-py understands it.
        made.ports = cast("dict[str, int | None]", {f"{SERVER_PORT}/tcp": ("127.0.0.1", None)})
    try:
        with _ryuk(settings), speaking(starting):
            made.start()
            identity = made.get_container_id()
            state = engine.client.api.inspect_container(identity)["State"]
        _require_running(image, state)
    except BaseException:
        # A container that was made and not started stays for ever: nothing but us removes it.
        remove_all(engine, spec.labels)
        raise
    finally:
        made.get_docker_client().client.close()  # it has a client of its own, and we have ours
    made_pid = int(state["Pid"]) if account.drop else _hold(engine, identity, account)
    return Container(engine, identity, made_pid, account, settings.memory)


def _hold(engine: Engine, identity: str, account: Account) -> int:
    """Start a process of our own user in the container and return it: only root may look into root's processes."""
    with speaking("starting a process in the container"):
        user = f"{account.uid}:{account.gid}"
        created = engine.client.api.exec_create(
            identity, ["sleep", "infinity"], user=user, workdir="/"
        )
        engine.client.api.exec_start(created["Id"], detach=True)
        pid = int(engine.client.api.exec_inspect(created["Id"])["Pid"])
    # For some milliseconds it is still the container runtime, which nobody may look into; what cannot be is said later.
    with suppress(HarnessError):
        wait_until(
            lambda: os.access(f"/proc/{pid}/root/", os.X_OK),
            what="the process",
            timeout_seconds=_BEGINNING_SECONDS,
        )
    return pid


def _require_running(image: Image, state: Mapping[str, Any]) -> None:
    if not state["Running"]:
        said = state.get("Error") or f"status {state['ExitCode']}"
        raise HarnessError(
            f"a container of image {image.name} ended at once: {said}",
            hint="the image needs sh, timeout and flock (coreutils and util-linux, or busybox).",
        )


@contextmanager
def _ryuk(settings: DockerSettings) -> Iterator[None]:
    """Leave testcontainers' reaper out unless the user asks for it: it holds Docker's socket and opens a port."""
    from testcontainers.core.config import testcontainers_config

    before = testcontainers_config.ryuk_disabled
    testcontainers_config.ryuk_disabled = not settings.ryuk
    try:
        yield
    finally:
        testcontainers_config.ryuk_disabled = before


def _all_labels(settings: DockerSettings, spec: ContainerSpec) -> dict[str, str]:
    expires = str(int(time.time() + settings.max_lifetime_seconds))
    return {MANAGED: "true", EXPIRES: expires, **spec.labels}


def _arguments(settings: DockerSettings, account: Account, spec: ContainerSpec) -> dict[str, Any]:
    # The first process is root's, and waits; what we run in the container as another user has no capability at all.
    # Root of ours may read every backup: there it needs this one right for that.
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
        "cap_add": ["CHOWN", *reading, *spec.rights],
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
    from docker.types import DriverConfig, Mount

    # Mounts and never "volumes": those make a directory where the daemon does not find one.
    for path in sorted({spec.lock, *spec.reads}):
        yield Mount(str(path), str(path), type="bind", read_only=True)
    for path in spec.writes:
        yield Mount(str(path), str(path), type="bind")
    # initdb asks for the name of its user, and the image does not know ours.
    yield Mount("/etc/passwd", str(spec.passwd), type="bind", read_only=True)
    if Path("/tmp") not in spec.reads:  # noqa: S108 - the container's own
        yield Mount("/tmp", None, type="tmpfs")  # noqa: S108
    if spec.copy is not None and spec.shared is not None:
        yield Mount(str(spec.copy), spec.shared, type="volume", no_copy=True)
    elif spec.copy is not None and settings.storage == "volume":
        # Without a source it is anonymous: Docker removes it with the container.
        yield Mount(
            str(spec.copy), None, type="volume", labels=_all_labels(settings, spec), no_copy=True
        )
    elif spec.copy is not None and settings.storage == "tmpfs":
        # A volume in memory and not a plain tmpfs: only a volume can be shared with a backup tool's container.
        memory = DriverConfig("local", {"type": "tmpfs", "device": "tmpfs", "o": "mode=0700"})
        labels = _all_labels(settings, spec)
        yield Mount(
            str(spec.copy), None, type="volume", labels=labels, no_copy=True, driver_config=memory
        )
    elif spec.copy is not None:
        yield Mount(str(spec.copy), str(spec.copy), type="bind")
