"""A backup tool on this machine, run as the user who started pytest.

It can read every file that this user can read.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.process import Completed, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import ToolRequirements


@dataclass(frozen=True, slots=True)
class HostToolRunner:
    """Implements `sandboxes.protocol.ToolRunner` with processes of this machine.

    Args:
        requirements: The tool.
        directory: Its working directory. The watchdog finds our processes by it.
        timeout_seconds: Deadline of a call without one of its own.
    """

    requirements: ToolRequirements
    directory: Path
    timeout_seconds: float

    @property
    def origin(self) -> str:
        """Where the tool is."""
        program = self.requirements.program
        return f"this machine, {shutil.which(program) or program}"

    @property
    def network(self) -> str:
        """Its network, in words; empty when it needs none."""
        return "this machine's" if self.requirements.network else ""

    @property
    def scratch(self) -> Path:
        """Directory of ours that the tool can read."""
        shared = self.directory / "scratch"
        return shared if shared.is_dir() else self.directory

    @property
    def writable(self) -> Path:
        """Directory the tool can write to."""
        return self.scratch

    def run(
        self,
        *argv: str,
        timeout_seconds: float | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run the tool; see the protocol."""
        # Tools find credentials below the home directory, as they do in the user's own shell.
        home = {"HOME": os.path.expanduser("~")}  # noqa: PTH111 - never raises
        return run(
            [self._path_of(argv[0]), *argv[1:]],
            timeout_seconds=self.timeout_seconds if timeout_seconds is None else timeout_seconds,
            env=child_environment({**home, **(env or {}), **(secrets or {})}),
            cwd=self.directory,
            check=False,
        )

    def _path_of(self, program: str) -> str:
        found = shutil.which(program)
        if found is not None:
            return found
        packages = " ".join(self.requirements.packages)
        package = f" (package {packages})" if packages else ""
        raise HarnessError(
            f"{program} is not on this machine",
            hint=f"install it{package}, or name its path in `program`.",
        )
