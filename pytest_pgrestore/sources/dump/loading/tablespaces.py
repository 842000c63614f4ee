"""Directories for a dump's tablespaces, inside the sandbox."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.trees import open_directory

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox


def make_place(sandbox: Sandbox, number: int) -> Path:
    """Make a directory for one tablespace, and return it.

    Raises:
        HarnessError: Something else has its name.
    """
    place = sandbox.tablespaces / f"dump-{number}"
    try:
        # Neither part of the path may be a link: programs of the dump may run already, in a
        # container even as our own user. mkdir(2) follows none, and fails if anything is there.
        with open_directory(place.parent, follow=False) as parent:
            os.mkdir(place.name, 0o700, dir_fd=parent)
    except OSError as exc:
        if exc.errno not in {errno.EEXIST, errno.ENOTDIR, errno.ELOOP}:
            raise
        raise HarnessError(
            f"{place} exists or is a link, and is not ours",
            hint="a program that the dump started made it: read the dump for COPY ... PROGRAM.",
        ) from None
    sandbox.adopt(place)
    return place
