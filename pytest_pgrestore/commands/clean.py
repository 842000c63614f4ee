"""`pgrestore clean`: what was kept on purpose, and what dead runs left."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sandboxes import guardian
from pytest_pgrestore.sandboxes.run import LocalSettings, sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def clean_up(instance: Path | None, directory: Path | None, say: Callable[[str], object]) -> None:
    """Remove one kept instance, or all of them and every leftover; runs under way are left alone.

    Raises:
        ConfigError: `instance` is not one we kept.
    """
    if instance is not None:
        if not (instance / guardian.KEEP).exists():
            raise ConfigError(
                f"{instance} is not a kept instance", hint="name the directory that --pgrestore-keep printed."
            )
        guardian.stop_server(instance)
        shutil.rmtree(instance)
        say(f"removed {instance}")
    removed = sweep(LocalSettings(directory=directory), kept=instance is None)
    for root in removed:
        say(f"removed {root}")
    if instance is None and not removed:
        say("nothing was left")
