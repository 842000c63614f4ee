"""Where backup tools of one run run: in containers of their own, or on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes.docker.daemon import removal
from pytest_pgrestore.sandboxes.docker.run_containers import READER, RunContainers, mountable
from pytest_pgrestore.sandboxes.docker.tool_runner import ContainerToolRunner
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.docker.daemon.container import Container
    from pytest_pgrestore.sandboxes.docker.daemon.image import Image
    from pytest_pgrestore.sandboxes.docker.run_images import RunImages
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements, ToolRunner


class ToolContainers:
    """Starts the containers in which backup tools run.

    Args:
        containers: The run's containers.
        images: The run's images.
    """

    def __init__(self, containers: RunContainers, images: RunImages) -> None:
        self._containers = containers
        self._images = images
        self._reading: dict[tuple[str, ToolRequirements], Container] = {}

    def reading(self, requirements: ToolRequirements, major: int | None) -> ToolRunner:
        """Return where a tool runs that only reads; its container lives as long as the run."""
        if requirements.on_host:
            return self._on_host(requirements)
        image = self._images.image(major, requirements)
        key = image.identity, requirements
        if key not in self._reading:
            spec = self._containers.spec(
                READER,
                (*_reads_of(requirements), self._secrets()),
                network=self._network_of(requirements),
                tool=True,
            )
            self._reading[key] = self._containers.start(image, spec)
        return self._runner(requirements, image, self._reading[key])

    def filling(
        self,
        requirements: ToolRequirements,
        image: Image,
        drill_key: str,
        box: Container,
        copy: Path,
    ) -> ToolRunner:
        """Return where a tool runs that fills the copy.

        Args:
            requirements: The tool.
            image: Of the drill.
            drill_key: Of the drill.
            box: The drill's container.
            copy: Where the copy lives in `box`.
        """
        if requirements.on_host:
            return self._on_host(requirements)
        spec = self._containers.spec(
            drill_key,
            (*_reads_of(requirements), self._secrets()),
            labels={**self._containers.labels(drill_key), removal.TOOL: "true"},
            network=self._network_of(requirements),
            copy=copy,
            tool=True,
            shared=box.volume_at(copy),
            writes=requirements.writes,
            capabilities=self._capabilities_of(requirements),
        )
        return self._runner(requirements, image, self._containers.start(image, spec))

    def _capabilities_of(self, requirements: ToolRequirements) -> tuple[str, ...]:
        """Return what a tool that restores as root needs (capabilities(7)).

        FOWNER: it gives files away and sets their times afterwards. DAC_OVERRIDE: it may find
        them again in a directory it writes to.
        """
        if not self._containers.account.drop:
            return ()
        return ("FOWNER", "DAC_OVERRIDE") if requirements.writes else ("FOWNER",)

    def _on_host(self, requirements: ToolRequirements) -> HostToolRunner:
        root = self._containers.directory.root
        return HostToolRunner(requirements, root, self._containers.settings.timeout_seconds)

    def _runner(
        self, requirements: ToolRequirements, image: Image, container: Container
    ) -> ContainerToolRunner:
        settings = self._containers.settings
        return ContainerToolRunner(
            requirements,
            image,
            container,
            f"Docker network {settings.tool_network}" if requirements.network else "",
            self._containers.scratch,
            self._secrets(),
            settings.timeout_seconds,
        )

    def _secrets(self) -> Path:
        """Return the directory of the tools' secrets, which no container with a server sees."""
        folder = self._containers.directory.root / "programs" / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _network_of(self, requirements: ToolRequirements) -> str:
        return self._containers.settings.tool_network if requirements.network else "none"


def _reads_of(requirements: ToolRequirements) -> tuple[Path, ...]:
    """Return what the tool reads, and its program if that is a file of this machine."""
    program = Path(requirements.program)
    own = (program,) if program.is_absolute() else ()
    return mountable((*requirements.reads, *own))
