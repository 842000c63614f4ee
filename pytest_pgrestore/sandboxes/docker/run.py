"""One pytest run in the `docker` sandbox: its directory, its images, its containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.base_run import BaseRun
from pytest_pgrestore.sandboxes.base_sandbox import passable
from pytest_pgrestore.sandboxes.docker.container_state import state_of
from pytest_pgrestore.sandboxes.docker.daemon import removal
from pytest_pgrestore.sandboxes.docker.daemon.client import Engine, boot_identity, connect
from pytest_pgrestore.sandboxes.docker.drill_place import prepare, written_in
from pytest_pgrestore.sandboxes.docker.drill_removal import remove_drill
from pytest_pgrestore.sandboxes.docker.programs import (
    ContainerPrograms,
    Installation,
    installation_of,
)
from pytest_pgrestore.sandboxes.docker.run_containers import READER, RunContainers, mountable
from pytest_pgrestore.sandboxes.docker.run_images import RunImages
from pytest_pgrestore.sandboxes.docker.sandbox import DockerSandbox
from pytest_pgrestore.sandboxes.docker.tool_containers import ToolContainers
from pytest_pgrestore.sandboxes.run_directory import RunDirectory, is_abandoned
from pytest_pgrestore.sandboxes.settings import DockerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Self

    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.sandboxes.docker.daemon.container import Container
    from pytest_pgrestore.sandboxes.docker.daemon.image import Image
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, ToolRequirements, ToolRunner


class DockerRun(BaseRun[DockerSettings]):
    """Implements `sandboxes.protocol.Run` with containers.

    Make it with `open`, or `join` the run of another process.
    """

    def __init__(self, settings: DockerSettings, engine: Engine, directory: RunDirectory) -> None:
        super().__init__(settings, directory)
        self.engine = engine
        self._images = RunImages(engine, settings, self.account)
        self._containers = RunContainers(engine, settings, self.account, directory)
        self._tools = ToolContainers(self._containers, self._images)
        self._installations: dict[str, Installation] = {}
        self._sandboxes: dict[str, DockerSandbox] = {}

    @classmethod
    def open(cls, settings: DockerSettings, run_id: str) -> Self:
        """Find the daemon, make the run's directory, remove what dead runs left.

        Raises:
            HarnessError: No daemon answers, or the place cannot be written.
        """
        engine = connect()
        directory = RunDirectory.open(settings, run_id)
        try:
            directory.removed_leftovers += removal.sweep(engine, boot_identity(), _unused)
        except BaseException:
            directory.close()
            raise
        return cls(settings, engine, directory)

    @classmethod
    def join(cls, settings: DockerSettings, root: Path) -> Self:
        """Take part in the run whose directory is `root`."""
        return cls(settings, connect(), RunDirectory.join(settings, root))

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
            HarnessError: There is no such image, or it holds another major.
        """
        image = self._images.image(major, requirements)
        places = mountable(reads)
        installation = self._installation_of(image, places, major)
        found = installation.major
        fits = major is None or found == major or (at_least and found > major)
        if not fits:
            raise HarnessError(
                f"image {image.name} has PostgreSQL {found}, and the backup needs {major}",
                hint='write {major} in sandbox.image, as in "postgres:{major}", or leave it out.',
            )
        return self._programs(installation, lambda: self._containers.reader(image, places))

    def _installation_of(
        self, image: Image, places: tuple[Path, ...], major: int | None
    ) -> Installation:
        if image.identity not in self._installations:
            reader = self._containers.reader(image, places)
            self._installations[image.identity] = installation_of(image, reader, major)
        return self._installations[image.identity]

    def _programs(
        self, installation: Installation, container: Callable[[], Container]
    ) -> ContainerPrograms:
        return ContainerPrograms(installation, container, self.scratch, self.timeout_seconds)

    def tool_runner(self, requirements: ToolRequirements, major: int | None) -> ToolRunner:
        """Return where a backup tool runs that only reads: in a container, or on this machine."""
        return self._tools.reading(requirements, major)

    def sandbox(
        self,
        drill_key: str,
        programs: PostgresPrograms,
        needed_bytes: int | None = None,
        reads: Sequence[Path] = (),
    ) -> DockerSandbox:
        """Return a fresh container for one drill; `programs` come from `find_programs`.

        Raises:
            HarnessError: Docker refuses, or its disk has no room for `needed_bytes`.
        """
        self.directory.require_time()
        if not isinstance(programs, ContainerPrograms):
            programs = self.find_programs(programs.major)
        made = self._sandboxes[drill_key] = self._start(drill_key, programs.installation, reads)
        made.create()
        self.directory.require_room(made.data, needed_bytes)
        return made

    def _start(
        self, drill_key: str, installation: Installation, reads: Sequence[Path]
    ) -> DockerSandbox:
        """Start the drill's container."""
        place, copy = self.drill_root(drill_key), self._copy(drill_key)
        prepare(place, self.account)
        if self.settings.storage == "bind":
            copy.mkdir()
            copy.chmod(passable(self.account))
        spec = self._containers.spec(
            drill_key,
            (*mountable(reads), place),
            keep=place / watchdog.KEEP,
            writes=written_in(place),
            copy=copy,
            published=self.settings.connect_by == "port",
        )
        box = self._containers.start(installation.image, spec)
        return DockerSandbox(
            place,
            copy,
            self._programs(installation, lambda: box),
            self.settings,
            spec.labels,
            lambda tool: self._tools.filling(tool, installation.image, drill_key, box, copy),
        )

    def _copy(self, drill_key: str) -> Path:
        """Return the path of a drill's copy. On this machine the watchdog must find it."""
        if self.settings.storage == "bind":
            return self.drill_root(drill_key) / "copy"
        return self.directory.copy(drill_key)

    def close_drill(self, drill_key: str) -> Teardown:
        """Remove the drill's container and directories, and prove it.

        Any process of the run may call this.
        """
        self._sandboxes.pop(drill_key, None)
        labels = self._containers.labels(drill_key)
        return remove_drill(self.engine, labels, self.drill_root(drill_key), self._copy(drill_key))

    def note_state(self, drill_key: str) -> str | None:
        """Write ``container.json`` next to the drill's logs; return why its server ended."""
        logs = self.drill_root(drill_key) / "logs"
        if not logs.is_dir():
            return None
        state = state_of(self._container_of(drill_key))
        (logs / "container.json").write_text(state.to_json(), encoding="utf-8")
        return state.why_ended

    def _container_of(self, drill_key: str) -> Container | None:
        ours = self._sandboxes.get(drill_key)
        if ours is not None:
            return ours.container
        try:
            return self._containers.find(drill_key)
        except HarnessError:
            return None

    def keep_drill(self, drill_key: str) -> str:
        """Leave the drill's container running; return how to connect and how to remove it."""
        hours = self.settings.max_lifetime_seconds / 3600
        return self._keep(drill_key, f" it ends by itself after {hours:g} hours;")

    def close(self) -> list[str]:
        """Remove everything that is left and not kept; return what could not be removed.

        Raises:
            HarnessError: The daemon does not answer. The directory is removed all the same. Its
                lock is released then, and the containers end.
        """
        kept = _kept_drills(self.root)
        try:
            remains = self._remove_containers(kept)
        finally:
            left = self.directory.close()
        return remains + left

    def _remove_containers(self, kept: Sequence[Path]) -> list[str]:
        if not kept:
            return removal.remove_all(self.engine, {removal.RUN: self.root.name})
        remains = []
        for key in (READER, *self._sandboxes):
            if self.drill_root(key) not in kept:
                remains += removal.remove_all(self.engine, self._containers.labels(key))
        return remains


def sweep(*, kept: bool = False) -> list[str]:
    """Remove containers and volumes of runs whose processes have all ended; return their names.

    Args:
        kept: Remove kept instances too.

    Raises:
        HarnessError: No daemon answers.
    """

    def abandoned(root: Path) -> bool:
        if kept and is_abandoned(root):
            watchdog.forget_keeping(root)
        return _unused(root)

    return removal.sweep(connect(), boot_identity(), abandoned)


def _unused(root: Path) -> bool:
    """Return whether a run is neither in use nor kept."""
    return is_abandoned(root) and not _kept_drills(root)


def _kept_drills(root: Path) -> list[Path]:
    return [drill for drill in watchdog.drills_of(root) if (drill / watchdog.KEEP).exists()]
