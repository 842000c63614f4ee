"""The containers of one run: what all of them share, and those in which programs read backups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sandboxes.docker.daemon import removal
from pytest_pgrestore.sandboxes.docker.daemon.client import boot_identity
from pytest_pgrestore.sandboxes.docker.daemon.container import Container
from pytest_pgrestore.sandboxes.docker.daemon.container_spec import ContainerSpec
from pytest_pgrestore.sandboxes.docker.daemon.start_container import start
from pytest_pgrestore.system.atomic_file import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
    from pytest_pgrestore.sandboxes.docker.daemon.image import Image
    from pytest_pgrestore.sandboxes.run_directory import RunDirectory
    from pytest_pgrestore.sandboxes.settings import DockerSettings
    from pytest_pgrestore.system.account import Account

READER = "(reading backups)"
"""In place of the drill's key, on containers that hold no copy."""


class RunContainers:
    """Starts the containers of one run.

    Args:
        engine: The daemon.
        settings: How containers are set up.
        account: The server's user.
        directory: The run's directory.
    """

    def __init__(
        self, engine: Engine, settings: DockerSettings, account: Account, directory: RunDirectory
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.account = account
        self.directory = directory
        self._readers: dict[str, tuple[tuple[Path, ...], Container]] = {}

    @property
    def scratch(self) -> Path:
        """Directory of ours that every container sees."""
        return self.directory.root / "scratch"

    def labels(self, drill_key: str) -> dict[str, str]:
        """Return the labels of a drill's containers and volume; see `daemon.removal`."""
        root = self.directory.root
        return {
            removal.RUN: root.name,
            removal.ROOT: str(root),
            removal.HOST: boot_identity(),
            removal.DRILL: drill_key,
        }

    def spec(self, drill_key: str, reads: Sequence[Path], **more: Any) -> ContainerSpec:
        """Return the specification of a container of this run.

        Args:
            drill_key: Of its drill, or `READER`.
            reads: What it reads, beside the scratch directory.
            more: Other fields of the spec.
        """
        fields: dict[str, Any] = {"labels": self.labels(drill_key), **more}
        return ContainerSpec(
            lock=self.directory.lock,
            passwd=self._passwd(),
            reads=tuple(dict.fromkeys((*reads, self.scratch))),
            **fields,
        )

    def start(self, image: Image, spec: ContainerSpec) -> Container:
        """Start a container.

        Raises:
            HarnessError: The daemon refuses.
        """
        return start(self.engine, image, self.settings, self.account, spec)

    def reader(self, image: Image, reads: tuple[Path, ...]) -> Container:
        """Return a container without a copy, whose programs read the backups at `reads`.

        An image has one at a time: other `reads` replace it, because mounts cannot be added.
        """
        known = self._readers.get(image.identity)
        if known is not None:
            if known[0] == reads:
                return known[1]
            removal.remove_container(self.engine, known[1].identity)
        made = self.start(image, self.spec(READER, reads))
        self._readers[image.identity] = reads, made
        return made

    def find(self, drill_key: str) -> Container | None:
        """Return the drill's container, whichever process of the run started it; None if gone."""
        found = removal.find_container(self.engine, self.labels(drill_key))
        if found is None:
            return None
        identity, pid = found
        return Container(self.engine, identity, pid, self.account, self.settings.memory)

    def _passwd(self) -> Path:
        """Return the file that containers get as /etc/passwd: root and the server's user."""
        path = self.directory.root / "programs" / "passwd"
        if not path.exists():
            account = self.account
            root, user = "root:x:0:0", f"{account.name}:x:{account.uid}:{account.gid}"
            write_atomically(path, f"{root}::/:/bin/sh\n{user}::/:/bin/sh\n")
        return path


def mountable(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return those of `paths` that exist, and the targets of links among them.

    A bind mount of a link shows the link, and not its target.
    """
    present = [path.absolute() for path in paths if path.exists()]
    return tuple(sorted({*present, *(path.resolve() for path in present)}))
