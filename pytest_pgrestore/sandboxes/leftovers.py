"""Asking the system what is left of a sandbox: processes that stand in it, whoever started them."""

from __future__ import annotations

import os
from pathlib import Path


def processes_below(root: Path) -> list[int]:
    """Return the processes whose working directory lies below `root`: every PostgreSQL process stands in PGDATA."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            cwd = Path(os.readlink(entry / "cwd"))  # noqa: PTH115 - a deleted directory has no Path to follow
        except OSError:
            continue
        if cwd == root or root in cwd.parents:
            found.append(int(entry.name))
    return found
