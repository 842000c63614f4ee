"""From the kind of sandbox a run wants to the run in it. Imports one kind's modules, when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.runsettings import RunSettings
    from pytest_pgrestore.sandboxes.protocol import Run

RUNTIMES = ("docker", "local")


def enter_run(settings: RunSettings, run_id: str, root: Path | None) -> Run:
    """Return the run called `run_id`, made new, or the one in `root` that another process made.

    Raises:
        ConfigError: There is no such kind of sandbox.
        HarnessError: It cannot be made.
    """
    match settings.runtime:
        case "docker":
            from pytest_pgrestore.sandboxes.docker.run import DockerRun

            docker = settings.docker()
            return DockerRun.open(docker, run_id) if root is None else DockerRun.join(docker, root)
        case "local":
            from pytest_pgrestore.sandboxes.run import LocalRun

            local = settings.local()
            return LocalRun.open(local, run_id) if root is None else LocalRun.join(local, root)
    raise ConfigError(f"there is no runtime {settings.runtime!r}", hint=f"write {' or '.join(RUNTIMES)}.")
