"""One pytest run in the `docker` sandbox: its directory, its images, its containers."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.docker.daemon import removal
from pytest_pgrestore.sandboxes.docker.daemon.client import Engine, boot_identity, connect
from pytest_pgrestore.sandboxes.docker.daemon.container import Container, ContainerSpec, start
from pytest_pgrestore.sandboxes.docker.daemon.image import Image, image_for
from pytest_pgrestore.sandboxes.docker.programs import (
    ContainerPrograms,
    Installation,
    installation_of,
)
from pytest_pgrestore.sandboxes.docker.sandbox import CONTAINER_ENDED, DockerSandbox, remove_drill
from pytest_pgrestore.sandboxes.docker.tool_runner import ContainerToolRunner
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
from pytest_pgrestore.sandboxes.run_directory import RunDirectory, base_directory, is_abandoned
from pytest_pgrestore.system.account import server_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, ToolRequirements, ToolRunner
    from pytest_pgrestore.sandboxes.settings import DockerSettings

READER = "(reading backups)"
"""Label of the container whose programs read backups before a drill has a container of its own."""


class DockerRun:
    """Implements `sandboxes.protocol.Run` with containers. Make it with `open`, or `join` another process's."""

    def __init__(self, settings: DockerSettings, engine: Engine, directory: RunDirectory) -> None:
        self.settings = settings
        self.engine = engine
        self.directory = directory
        self.account = server_account(settings.user)
        self._images: dict[tuple[int | None, tuple[str, ...]], Image] = {}
        self._tool_containers: dict[tuple[str, ToolRequirements], Container] = {}
        self._installations: dict[str, Installation] = {}
        self._readers: dict[str, tuple[tuple[Path, ...], Container]] = {}
        self._sandboxes: dict[str, DockerSandbox] = {}

    @classmethod
    def open(cls, settings: DockerSettings, run_id: str) -> DockerRun:
        """Find the daemon, make the run's directory, sweep what dead runs left.

        Raises:
            HarnessError: No daemon answers, or the place cannot be written.
        """
        engine = connect()
        account = server_account(settings.user)
        directory = RunDirectory.open(
            settings.directory, account, run_id, settings.max_lifetime_seconds
        )
        try:
            directory.removed_leftovers += removal.sweep(engine, boot_identity(), _unused)
        except BaseException:
            directory.close()
            raise
        return cls(settings, engine, directory)

    @classmethod
    def join(cls, settings: DockerSettings, root: Path) -> DockerRun:
        """Take part in the run whose directory is `root`."""
        return cls(settings, connect(), RunDirectory.join(root, settings.max_lifetime_seconds))

    @property
    def root(self) -> Path:
        """The run's directory on this machine."""
        return self.directory.root

    @property
    def removed_leftovers(self) -> list[str]:
        """What dead runs had left."""
        return self.directory.removed_leftovers

    @property
    def timeout_seconds(self) -> float:
        """Deadline of one tool or one wait."""
        return self.settings.timeout_seconds

    def find_programs(
        self,
        major: int | None,
        *,
        at_least: bool = False,
        reads: Sequence[Path] = (),
        requirements: ToolRequirements | None = None,
    ) -> ContainerPrograms:
        """Return PostgreSQL's programs of the image for `major`.

        Raises:
            HarnessError: No such image, or it holds another major.
        """
        image = self._image(major, requirements)
        places = _mountable(reads)
        installation = self._installations.get(image.identity)
        if installation is None:
            installation = self._installations[image.identity] = installation_of(
                image, self._reader(image, places), major
            )
        if (
            major is not None
            and installation.major != major
            and not (at_least and installation.major > major)
        ):
            raise HarnessError(
                f"image {image.name} has PostgreSQL {installation.major}, and the backup needs {major}",
                hint='write {major} in sandbox.image, as in "postgres:{major}", or leave it out.',
            )
        return ContainerPrograms(
            installation,
            lambda: self._reader(image, places),
            self.root / "scratch",
            self.settings.timeout_seconds,
        )

    def tool_runner(self, requirements: ToolRequirements, major: int | None) -> ToolRunner:
        """Return where a backup tool runs that only reads: a container of the image, or this machine."""
        if requirements.on_host:
            return HostToolRunner(requirements, self.root, self.settings.timeout_seconds)
        image = self._image(major, requirements)
        key = image.identity, requirements
        if key not in self._tool_containers:
            spec = replace(
                self._reading(_mountable(self._read_by(requirements))),
                network=self._network_of(requirements),
            )
            self._tool_containers[key] = start(
                self.engine, image, self.settings, self.account, spec
            )
        return self._tool_runner(requirements, image, self._tool_containers[key])

    def _tool_runner(
        self, requirements: ToolRequirements, image: Image, container: Container
    ) -> ContainerToolRunner:
        network = f"Docker network {self.settings.tool_network}" if requirements.network else ""
        scratch, timeout_seconds = self.root / "scratch", self.settings.timeout_seconds
        return ContainerToolRunner(
            requirements, image, container, network, scratch, timeout_seconds
        )

    def _network_of(self, requirements: ToolRequirements) -> str:
        return self.settings.tool_network if requirements.network else "none"

    @staticmethod
    def _read_by(requirements: ToolRequirements) -> tuple[Path, ...]:
        """Return what the tool reads, itself too where it is a file of this machine."""
        program = Path(requirements.program)
        return (*requirements.reads, *((program,) if program.is_absolute() else ()))

    def _image(self, major: int | None, requirements: ToolRequirements | None = None) -> Image:
        packages = (
            ()
            if requirements is None
            or requirements.on_host
            or Path(requirements.program).is_absolute()
            else requirements.packages
        )
        key = major, packages
        if key not in self._images:
            # One for all runs of this user, wherever their copies live, in a directory that is proved to be ours.
            lock = base_directory(None, self.account) / ".image.lock"
            wanted = tuple(dict.fromkeys((*self.settings.packages, *packages)))
            self._images[key] = image_for(
                self.engine, replace(self.settings, packages=wanted), major, lock
            )
        return self._images[key]

    def _reading(self, reads: tuple[Path, ...]) -> ContainerSpec:
        """Return the wish for a container that holds no copy."""
        return ContainerSpec(
            labels=self._labels(READER),
            lock=self.directory.lock,
            passwd=self._passwd,
            reads=tuple(dict.fromkeys((*reads, self.root / "scratch"))),
        )

    def _reader(self, image: Image, reads: tuple[Path, ...]) -> Container:
        """Return the container whose programs read the backups at `reads`; one an image, the last one asked for."""
        known = self._readers.get(image.identity)
        if known is not None:
            if known[0] == reads:
                return known[1]
            removal.remove_container(self.engine, known[1].identity)
        made = start(self.engine, image, self.settings, self.account, self._reading(reads))
        self._readers[image.identity] = reads, made
        return made

    def sandbox(
        self,
        drill_key: str,
        programs: PostgresPrograms,
        needed_bytes: int | None = None,
        reads: Sequence[Path] = (),
    ) -> DockerSandbox:
        """Return a fresh container for one drill; `programs` are those of `find_programs`.

        Raises:
            HarnessError: Docker refuses, or its disk has no room for `needed_bytes`.
        """
        self.directory.require_time()
        own = (
            programs
            if isinstance(programs, ContainerPrograms)
            else self.find_programs(programs.major)
        )
        place, copy = self.drill_root(drill_key), self._copy(drill_key)
        DockerSandbox.prepare(place, self.account)
        if self.settings.storage == "bind":
            copy.mkdir(mode=0o700)
            self.account.own(copy)
        labels = self._labels(drill_key)
        spec = ContainerSpec(
            labels=labels,
            lock=self.directory.lock,
            passwd=self._passwd,
            keep=place / watchdog.KEEP,
            reads=(*_mountable(reads), place, self.root / "scratch"),
            writes=(place / "s", place / "logs"),
            copy=copy,
            published=self.settings.connect_by == "port",
        )
        box = start(self.engine, own.installation.image, self.settings, self.account, spec)
        inside = ContainerPrograms(
            own.installation, lambda: box, self.root / "scratch", self.settings.timeout_seconds
        )

        def tool_runner(requirements: ToolRequirements) -> ToolRunner:
            return self._filling(requirements, own.installation.image, box, labels, copy)

        made = DockerSandbox(place, copy, inside, self.settings, labels, tool_runner)
        self._sandboxes[drill_key] = made
        made.create()
        self.directory.require_room(made.data, needed_bytes)
        return made

    def _filling(
        self,
        requirements: ToolRequirements,
        image: Image,
        box: Container,
        labels: Mapping[str, str],
        copy: Path,
    ) -> ToolRunner:
        """Return where a tool runs that fills the copy in `box`."""
        if requirements.on_host:
            return HostToolRunner(requirements, self.root, self.settings.timeout_seconds)
        spec = replace(
            self._reading(_mountable(self._read_by(requirements))),
            labels={**labels, removal.TOOL: "true"},
            network=self._network_of(requirements),
            copy=copy,
            shared=box.volume_at(copy),
            writes=requirements.writes,
            # A tool that restores as root gives files away, sets their times afterwards, and may find them again.
            rights=("FOWNER", *(("DAC_OVERRIDE",) if requirements.writes else ()))
            if self.account.drop
            else (),
        )
        return self._tool_runner(
            requirements, image, start(self.engine, image, self.settings, self.account, spec)
        )

    @property
    def _passwd(self) -> Path:
        path = self.root / "programs" / "passwd"
        if not path.exists():
            account = self.account
            lines = [
                "root:x:0:0::/:/bin/sh",
                f"{account.name}:x:{account.uid}:{account.gid}::/:/bin/sh",
            ]
            half = path.with_name(f"passwd.{os.getpid()}")
            half.write_text("\n".join(lines) + "\n")
            half.rename(path)
        return path

    def _copy(self, drill_key: str) -> Path:
        """Return the place of a drill's copy; a directory of this machine lies where the watchdog removes it."""
        bound = self.settings.storage == "bind"
        return self.drill_root(drill_key) / "copy" if bound else self.directory.copy(drill_key)

    def _labels(self, drill_key: str) -> dict[str, str]:
        return {
            removal.RUN: self.root.name,
            removal.ROOT: str(self.root),
            removal.HOST: boot_identity(),
            removal.DRILL: drill_key,
        }

    def time_limit_error(self) -> HarnessError | None:
        """Return what to tell when the run's time limit has passed and its copies were removed; None before."""
        return self.directory.time_limit_error()

    def close_drill(self, drill_key: str) -> Teardown:
        """Remove the drill's container and its places, and prove it; from any process of the run."""
        self._sandboxes.pop(drill_key, None)
        return remove_drill(
            self.engine, self._labels(drill_key), self.drill_root(drill_key), self._copy(drill_key)
        )

    def note_state(self, drill_key: str) -> str | None:
        """Write ``container.json`` beside the drill's logs; return why its server ended where the daemon knows."""
        logs = self.drill_root(drill_key) / "logs"
        if not logs.is_dir():
            return None
        ours = self._sandboxes.get(drill_key)
        box = ours.container if ours is not None else self._find(drill_key)
        try:
            state = box.state() if box is not None else {}
            kills = box.oom_kills() if box is not None else 0
            why = box.why_ended() if box is not None and state.get("Running") else CONTAINER_ENDED
        except HarnessError as exc:
            state, kills, why = {"Error": exc.problem}, None, exc.problem
        text = json.dumps(
            {**(state or {"Status": "gone"}), "ProcessesKilledForMemory": kills}, indent=2
        )
        (logs / "container.json").write_text(text + "\n", encoding="utf-8")
        return why

    def _find(self, drill_key: str) -> Container | None:
        """Return the drill's container that another process of the run started."""
        try:
            found = removal.find_container(self.engine, self._labels(drill_key))
        except HarnessError:
            return None
        if found is None:
            return None
        return Container(self.engine, found[0], found[1], self.account, self.settings.memory)

    def keep_drill(self, drill_key: str) -> str:
        """Leave the drill's container running after the run; return how to connect and how to remove it."""
        root = self.drill_root(drill_key)
        (root / watchdog.KEEP).write_text("")
        who = f"as {self.account.name} or root: " if self.account.drop else ""
        hours = self.settings.max_lifetime_seconds / 3600
        return (
            f"{who}psql -h {root / 's'} -d postgres; it ends by itself after {hours:g} hours;"
            f" remove it with: pgrestore clean {root}"
        )

    def close(self) -> list[str]:
        """Remove everything that is left and not kept; return what could not be removed.

        Raises:
            HarnessError: The daemon does not answer; the directory is removed all the same, and with its lock the
                containers end as soon as they can.
        """
        kept = [
            drill for drill in watchdog.drills_of(self.root) if (drill / watchdog.KEEP).exists()
        ]
        try:
            remains = self._remove_containers(kept)
        finally:
            left = self.directory.close()
        return remains + left

    def _remove_containers(self, kept: Sequence[Path]) -> list[str]:
        if not kept:
            return removal.remove_all(self.engine, {removal.RUN: self.root.name})
        remains = []
        for labels in (self._labels(READER), *(self._labels(key) for key in self._sandboxes)):
            if self.drill_root(labels[removal.DRILL]) not in kept:
                remains += removal.remove_all(self.engine, labels)
        return remains

    def drill_root(self, drill_key: str) -> Path:
        """Return the directory of a drill on this machine, whether it is there or not; its logs are in ``logs``."""
        return self.directory.drill(drill_key)


def sweep(*, kept: bool = False) -> list[str]:
    """Remove the containers and volumes of runs whose processes are all gone; return what was removed.

    Args:
        kept: Remove kept instances too.

    Raises:
        HarnessError: No daemon answers.
    """

    def to_go(root: Path) -> bool:
        if kept and is_abandoned(root):
            watchdog.forget_keeping(root)
        return _unused(root)

    return removal.sweep(connect(), boot_identity(), to_go)


def _unused(root: Path) -> bool:
    """Tell whether nobody uses the run any more, and nobody kept anything of it."""
    return is_abandoned(root) and not any(
        (drill / watchdog.KEEP).exists() for drill in watchdog.drills_of(root)
    )


def _mountable(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return what is there of `paths`, and where its links lead: a mount shows a link and not what it points to."""
    there = [path.absolute() for path in paths if path.exists()]
    return tuple(sorted({*there, *(path.resolve() for path in there)}))
