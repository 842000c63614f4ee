"""A backup tool in a container of its own, beside the drill's.

It has a network if the tool needs one, and no server runs in it. The drill's container never has a
network. The copy is a volume of the drill's container, which this container shares.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.exec import CANNOT_RUN
from pytest_pgrestore.sandboxes.docker.programs import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_pgrestore.sandboxes.docker.daemon.container import Container
    from pytest_pgrestore.sandboxes.docker.daemon.image import Image
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements
    from pytest_pgrestore.system.process import Completed

_WITH_SECRETS = 'set -a; . "$0"; set +a; exec "$@"'
_TEMPORARY = "/tmp"  # noqa: S108 - the container's own, in memory


@dataclass(frozen=True, slots=True)
class ContainerToolRunner:
    """Implements `sandboxes.protocol.ToolRunner` with a container.

    Args:
        requirements: The tool.
        image: Image of the container.
        container: Where it runs.
        network: The container's network, in words; empty for none.
        scratch: Directory of ours that the container sees.
        secrets: One that no container with a server sees.
        timeout_seconds: Deadline of a call without one of its own.
    """

    requirements: ToolRequirements
    image: Image
    container: Container
    network: str
    scratch: Path
    secrets: Path
    timeout_seconds: float

    @property
    def origin(self) -> str:
        """Where the tool is."""
        return f"a container of image {self.image.name}"

    @property
    def writable(self) -> Path:
        """Directory the tool can write to: memory of its container."""
        return Path(_TEMPORARY)

    def run(
        self,
        *argv: str,
        timeout_seconds: float | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run the tool; see the protocol."""
        limit = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        with self._hidden(secrets or {}) as prefix:
            done = self.container.execute(
                [*prefix, *argv],
                timeout_seconds=limit,
                env=environment({"HOME": _TEMPORARY, **(env or {})}),
                user=self.container.caller,
            )
        if done.status in CANNOT_RUN and not done.stdout:
            package = " ".join(self.requirements.packages) or "in sandbox.packages"
            raise HarnessError(
                f"{argv[0]} does not run in image {self.image.name}: {done.tail()}",
                hint="take an image that has it, or leave sandbox.image out and let one be built"
                f' (package {package}), or set tool_location = "host".',
            )
        return done

    @contextmanager
    def _hidden(self, secrets: Mapping[str, str]) -> Iterator[list[str]]:
        """Yield a prefix for a command that puts `secrets` into its environment.

        They are in a file that only its user can read. Variables of an exec would be shown by the
        daemon to everybody who may call it (Docker Engine API, "Inspect an exec instance").
        """
        if not secrets:
            yield []
            return
        # Made with mode 0600, in a directory that is removed with the run.
        descriptor, name = tempfile.mkstemp(dir=self.secrets, prefix=".env-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.writelines(f"{key}={shlex.quote(value)}\n" for key, value in secrets.items())
            yield ["sh", "-c", _WITH_SECRETS, name]
        finally:
            Path(name).unlink()
