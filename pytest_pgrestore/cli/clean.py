"""`pgrestore clean`: removes kept instances and leftovers of dead runs, on disk and in Docker."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.local.run import sweep
from pytest_pgrestore.sandboxes.settings import LocalSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def clean_up(instance: Path | None, directory: Path | None, echo: Callable[[str], object]) -> None:
    """Remove leftovers of dead runs, and kept instances. Runs that are alive are not touched.

    Args:
        instance: The only kept instance to remove; None for all.
        directory: Where copies live; None for the default.
        echo: Prints a line.

    Raises:
        ConfigError: `instance` is not a kept instance.
        HarnessError: `instance` is a container, and Docker does not answer.
    """
    if instance is not None:
        _remove(instance)
        echo(f"removed {instance}")
    removed = _sweep_docker(echo, kept=instance is None)
    removed += sweep(LocalSettings(directory=directory), kept=instance is None)
    for root in removed:
        echo(f"removed {root}")
    if instance is None and not removed:
        echo("nothing was left")


def _remove(instance: Path) -> None:
    if not (instance / watchdog.KEEP).exists():
        raise ConfigError(
            f"{instance} is not a kept instance",
            hint="name the directory that --pgrestore-keep printed.",
        )
    container = watchdog.container_of(instance)
    if container is not None:
        from pytest_pgrestore.sandboxes.docker.daemon.client import connect
        from pytest_pgrestore.sandboxes.docker.daemon.removal import remove_container

        remove_container(connect(), container)
    watchdog.stop_server(instance)
    shutil.rmtree(instance)


def _sweep_docker(echo: Callable[[str], object], *, kept: bool) -> list[str]:
    """Remove containers and volumes; a machine without Docker has none."""
    from pytest_pgrestore.sandboxes.docker.run import sweep as sweep_containers

    try:
        return sweep_containers(kept=kept)
    except HarnessError as exc:
        echo(f"Docker was not asked: {exc.problem}")
        return []
