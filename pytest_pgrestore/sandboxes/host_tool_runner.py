"""A backup tool on this machine, run as the user who started pytest.

It is confined to its own files where the system allows it. A program of the user's own, of the
source `command`, is not: nobody but the user knows what it needs.
"""

from __future__ import annotations

import os
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import confinement
from pytest_pgrestore.system import capabilities
from pytest_pgrestore.system.process import Completed, child_environment, run
from pytest_pgrestore.system.python_of_program import python_places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from pytest_pgrestore.sandboxes.confinement import Confinement
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements


@dataclass(frozen=True, slots=True)
class HostToolRunner:
    """Implements `sandboxes.protocol.ToolRunner` with processes of this machine.

    Args:
        requirements: The tool.
        directory: Its working directory. The watchdog finds our processes by it.
        timeout_seconds: Deadline of a call without one of its own.
        confinement: Of programs of this machine.
        fills: Directories of a sandbox that it fills.
    """

    requirements: ToolRequirements
    directory: Path
    timeout_seconds: float
    confinement: Confinement = confinement.NONE
    fills: tuple[Path, ...] = ()

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
        home = os.path.expanduser("~")  # noqa: PTH111 - never raises
        own = {"HOME": home, "TMPDIR": str(self.writable)}
        program = self._path_of(argv[0])
        with self._confined(Path(home), Path(program)) as confine:
            return run(
                [program, *argv[1:]],
                timeout_seconds=self.timeout_seconds
                if timeout_seconds is None
                else timeout_seconds,
                env=child_environment({**own, **(env or {}), **(secrets or {})}),
                cwd=self.directory,
                check=False,
                confine=confine,
            )

    def _confined(self, home: Path, program: Path) -> AbstractContextManager[Callable[[], None]]:
        wanted = self.requirements
        if wanted.users_own or self.confinement.none:
            return nullcontext(lambda: None)
        python = python_places(wanted.program)
        reach = confinement.tool_reach(
            home,
            (program, program.resolve().parent, *python, *wanted.reads),
            (self.scratch, *self.fills, *wanted.writes),
            network=wanted.network,
        )
        keeps = capabilities.RESTORER if os.geteuid() == 0 else None
        return self.confinement.child(reach, root_keeps=keeps)

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
