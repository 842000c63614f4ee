"""The images of one run: one for each major and list of packages that its drills need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes.base_directory import base_directory
from pytest_pgrestore.sandboxes.docker.daemon.image import Image, image_for

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
    from pytest_pgrestore.sandboxes.protocol import ToolRequirements
    from pytest_pgrestore.sandboxes.settings import DockerSettings
    from pytest_pgrestore.system.account import Account


class RunImages:
    """Finds or builds images, and remembers them.

    Args:
        engine: The daemon.
        settings: The user's choice of image and packages.
        account: The server's user.
    """

    def __init__(self, engine: Engine, settings: DockerSettings, account: Account) -> None:
        self._engine = engine
        self._settings = settings
        self._account = account
        self._known: dict[tuple[int | None, tuple[str, ...]], Image] = {}

    def image(self, major: int | None, requirements: ToolRequirements | None = None) -> Image:
        """Return the image with the server of `major` (None: the newest) and with a backup tool.

        Raises:
            HarnessError: It is missing, and cannot be pulled or built.
        """
        key = major, _packages_of(requirements)
        if key not in self._known:
            self._known[key] = self._find(*key)
        return self._known[key]

    def _find(self, major: int | None, packages: tuple[str, ...]) -> Image:
        # One lock for all runs of this user, wherever their copies live: they share the images.
        lock = base_directory(None, self._account) / ".image.lock"
        wanted = tuple(dict.fromkeys((*self._settings.packages, *packages)))
        return image_for(self._engine, replace(self._settings, packages=wanted), major, lock)


def _packages_of(requirements: ToolRequirements | None) -> tuple[str, ...]:
    """Return the packages an image needs for a tool: none if the tool is a file of this machine."""
    if requirements is None or requirements.on_host:
        return ()
    return () if Path(requirements.program).is_absolute() else requirements.packages
