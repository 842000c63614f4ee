"""A backup tool in a container of its own, beside the drill's: with a network where it needs one, and without a server.

The drill's container never has a network. The copy is a volume of it, which this container shares while it lives.
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
from pytest_pgrestore.sandboxes.docker.programs import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_pgrestore.sandboxes.docker.daemon.container import Container
    from pytest_pgrestore.sandboxes.docker.daemon.image import Image
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements
    from pytest_pgrestore.system.process import Completed

_NOT_FOUND = 127
_NOT_EXECUTABLE = 126
_WITH_SECRETS = 'set -a; . "$0"; set +a; exec "$@"'


@dataclass(frozen=True, slots=True)
class ContainerToolRunner:
    """Implements `sandboxes.protocol.ToolRunner` with a container.

    Args:
        requirements: The tool.
        image: Of the container.
        container: Where it runs.
        network: Which network that has; empty for none.
        scratch: Directory of ours that the container sees.
        timeout_seconds: Deadline of a call that is given none.
    """

    requirements: ToolRequirements
    image: Image
    container: Container
    network: str
    scratch: Path
    timeout_seconds: float

    @property
    def origin(self) -> str:
        """Where the tool is."""
        return f"a container of image {self.image.name}"

    @property
    def writable(self) -> Path:
        """Directory the tool can write to: memory of its container."""
        return Path("/tmp")  # noqa: S108 - the container's own

    def run(
        self,
        *argv: str,
        timeout_seconds: float | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run the tool; see the protocol."""
        account = self.container.account
        with self._kept_from_view(secrets or {}) as prefix:
            done = self.container.execute(
                [*prefix, *argv],
                timeout_seconds=self.timeout_seconds
                if timeout_seconds is None
                else timeout_seconds,
                env=environment({"HOME": "/tmp", **(env or {})}),  # noqa: S108 - the container's own
                user="0:0" if account.drop else f"{account.uid}:{account.gid}",
            )
        if done.status in (_NOT_EXECUTABLE, _NOT_FOUND) and not done.stdout:
            raise HarnessError(
                f"{argv[0]} does not run in image {self.image.name}: {done.tail()}",
                hint="take an image that has it, or leave sandbox.image out and let one be built"
                f' (package {" ".join(self.requirements.packages) or "in sandbox.packages"}), or set tool_location = "host".',
            )
        return done

    @contextmanager
    def _kept_from_view(self, secrets: Mapping[str, str]) -> Iterator[list[str]]:
        """Yield what to put before a command so that it has `secrets`: neither argv nor the daemon ever shows them."""
        if not secrets:
            yield []
            return
        # Made with mode 0600, in a directory that is removed with the run.
        descriptor, name = tempfile.mkstemp(dir=self.scratch, prefix=".env-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.writelines(f"{key}={shlex.quote(value)}\n" for key, value in secrets.items())
            yield ["sh", "-c", _WITH_SECRETS, name]
        finally:
            Path(name).unlink()
