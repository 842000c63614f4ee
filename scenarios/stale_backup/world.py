"""A dump of today, or of a week ago."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.conftest import World

WEEK_SECONDS = 7 * 24 * 3600


def healthy(world: World) -> None:
    """The dump is of today."""
    world.dump()


def disaster(world: World) -> None:
    """The newest dump is a week old."""
    week_ago = time.time() - WEEK_SECONDS
    os.utime(world.dump(), (week_ago, week_ago))
