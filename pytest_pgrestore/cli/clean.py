"""`pgrestore clean`: what was kept on purpose, and what dead runs left, on disk and in Docker."""

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


def clean_up(instance: Path | None, directory: Path | None, say: Callable[[str], object]) -> None:
    """Remove one kept instance, or all of them and every leftover; runs under way are left alone.

    Raises:
        ConfigError: `instance` is not one we kept.
        HarnessError: It is a container, and Docker does not answer.
    """
    if instance is not None:
        _remove(instance)
        say(f"removed {instance}")
    removed = _sweep_docker(say, kept=instance is None)
    removed += sweep(LocalSettings(directory=directory), kept=instance is None)
    for root in removed:
        say(f"removed {root}")
    if instance is None and not removed:
        say("nothing was left")


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


def _sweep_docker(say: Callable[[str], object], *, kept: bool) -> list[str]:
    from pytest_pgrestore.sandboxes.docker.run import sweep as sweep_containers

    try:
        return sweep_containers(kept=kept)
    except HarnessError as exc:
        say(f"Docker was not asked: {exc.problem}")
        return []
