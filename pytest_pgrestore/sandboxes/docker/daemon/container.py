"""A running container: programs in it, its files, its state.

Source: Docker Engine API, "Containers".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.base_sandbox import PORT
from pytest_pgrestore.sandboxes.docker.daemon.client import speaking
from pytest_pgrestore.sandboxes.docker.daemon.exec import execute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
    from pytest_pgrestore.system.account import Account
    from pytest_pgrestore.system.process import Completed

_OOM_FILES = ("sys/fs/cgroup/memory.events", "sys/fs/cgroup/memory/memory.oom_control")
"""Counters of control groups, version 2 and 1 (Linux: Documentation/admin-guide/cgroup-v2.rst)."""

_OOM_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


@dataclass(slots=True)
class Container:
    """A running container.

    Attributes:
        engine: Its daemon.
        identity: Its id.
        pid: A process of it whose files we may see, by its number on the daemon's machine.
        account: The user that programs run as.
        memory: Its limit as the user wrote it, for errors.
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
    def caller(self) -> str:
        """``uid:gid`` of the user who started pytest, who may read the backups."""
        return "0:0" if self.account.drop else self.user

    @property
    def files(self) -> Path:
        """Its file system, seen from this machine (proc(5), /proc/pid/root)."""
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
        """Run a program in it; see `exec.execute`. The default user is the server's.

        Raises:
            HarnessError: As `execute`, or the container ran out of memory.
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
        """Check that the kernel killed no process of it for memory.

        Raises:
            HarnessError: It did. That is no finding about the backup.
        """
        why = self.why_ended()
        if why is not None:
            raise HarnessError(why, hint="raise sandbox.memory, or leave it out.")

    def why_ended(self) -> str | None:
        """Return why its processes ended, if that was no fault of theirs; None if unknown."""
        kills = self.oom_kills()
        if not kills:
            return None
        limit = f" of {self.memory}" if self.memory else ""
        return (
            f"the container ran out of its memory limit{limit}:"
            f" the kernel killed {kills} of its processes"
        )

    def oom_kills(self) -> int:
        """Return how many of its processes the kernel killed for memory.

        The control group counts them. If we cannot read it, the daemon knows only of one or none.
        """
        for name in _OOM_FILES:
            try:
                match = _OOM_KILLS.search((self.files / name).read_text(encoding="ascii"))
            except OSError:
                continue
            if match:
                return int(match[1])
        return 1 if self.state().get("OOMKilled") else 0

    def state(self) -> dict[str, Any]:
        """Return ``State`` of the daemon's inspection; empty when the container is gone."""
        from docker.errors import NotFound

        api = self.engine.client.api
        with speaking("asking for the state of the container"):
            try:
                found: dict[str, Any] = api.inspect_container(self.identity)["State"]
            except NotFound:
                return {}
        return found

    def volume_at(self, place: Path) -> str | None:
        """Return the name of the volume mounted at `place`; None if there is none."""
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
            facts = self.engine.client.api.inspect_container(self.identity)["NetworkSettings"]
        found = (facts["Ports"] or {}).get(f"{PORT}/tcp")
        if not found:
            raise HarnessError("Docker published no port", hint="the daemon's log says why.")
        return int(found[0]["HostPort"])
