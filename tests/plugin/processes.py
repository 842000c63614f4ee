"""The processes and the shared memory of this machine, as /proc shows them (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DYNAMIC_MEMORY = "/dev/shm/PostgreSQL."  # noqa: S108 - the server's file, and none of ours
"""Path of a server's shared memory. Source: PostgreSQL, src/backend/storage/ipc/dsm_impl.c."""


def everybody() -> Iterator[int]:
    """Yield every process that runs."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - called every millisecond
        if name.isdigit() and session_of(int(name)) is not None:
            yield int(name)


def session_of(pid: int) -> int | None:
    """Return the session of a process; None when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[3])


def command(pid: int) -> str:
    """Return the command line of a process; empty when it has ended."""
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    try:
        return [
            int(word)
            for path in Path(f"/proc/{pid}/task").glob("*/children")
            for word in path.read_text().split()
        ]
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """Return the children of a process, and theirs."""
    found = children(pid)
    return found + [below for child in found for below in descendants(child)]


def opened_by(pid: int) -> list[Path]:
    """Return the files a process has open."""
    found = []
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            found.append(link.readlink())
        except OSError:
            continue
    return found


def segments() -> dict[str, int]:
    """Return the System V segments of this machine by name, with their creators."""
    rows = [row.split() for row in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return {f"segment {row[1]}": int(row[4]) for row in rows}


def orphaned_memory() -> set[str]:
    """Return the shared memory of this machine that no process uses: segments and files."""
    alive = set(everybody())
    unused = {name for name, creator in segments().items() if creator not in alive}
    place = Path(DYNAMIC_MEMORY)
    files = {str(path) for path in place.parent.glob(f"{place.name}*")}
    used: set[str] = set()
    for pid in alive if files else ():
        try:
            maps = Path(f"/proc/{pid}/maps").read_text()
        except OSError:
            continue
        used |= {path for path in files if path in maps}
    return unused | (files - used)
