"""Removing what a drill has in Docker and on this machine, and proving that it is gone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes.base_sandbox import teardown_of
from pytest_pgrestore.sandboxes.docker.daemon.removal import remove_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine

_NOTHING_LEFT = (
    "no container, no volume, no file is left of the copy:"
    " asked from the Docker daemon and the disk"
)


def remove_drill(engine: Engine, labels: Mapping[str, str], place: Path, copy: Path) -> Teardown:
    """Remove what carries `labels`, and the drill's directories; check what is left."""
    remains = remove_all(engine, labels)
    if copy.is_symlink():
        copy.unlink()
    for folder in (copy, place):
        shutil.rmtree(folder, ignore_errors=True)
    remains += [str(path) for path in (place, copy) if path.exists() or path.is_symlink()]
    return teardown_of(remains, _NOTHING_LEFT)
