"""Asking the system what is left of a sandbox: processes and shared memory."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_IPC_RMID = 0
_SHMEM_LINE = 7
"""Line of postmaster.pid that holds key and id of the server's System V segment (src/include/utils/pidfile.h)."""


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


def shared_memory_of(data: Path) -> list[int]:
    """Return the ids of the System V segments the server in `data` holds; a killed server leaves them behind."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return [int(lines[_SHMEM_LINE - 1].split()[1])]
    except (OSError, IndexError, ValueError):
        return []


def existing(identifiers: list[int]) -> list[int]:
    """Return which of these System V segments still exist.

    Source: proc(5), /proc/sysvipc/shm: the second column is the id.
    """
    try:
        rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    except OSError:
        return []
    present = {int(row.split()[1]) for row in rows}
    return [number for number in identifiers if number in present]


def remove_shared_memory(identifiers: list[int]) -> None:
    """Remove the segments that are still there, as ``ipcrm -m`` does."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for number in existing(identifiers):
        libc.shmctl(number, _IPC_RMID, None)
