"""Removes a run's servers and data when every process of the run is gone, however it went.

A program of its own, standard library only: it must outlive the pytest that starts it, also a SIGKILL. Each process
of the run holds a shared lock on ``run.lock``; the kernel drops locks with their holders, and whoever waits for the
exclusive one learns that all are gone. The same functions serve the sweep at the next start and the ordinary end.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

LOCK = "run.lock"
"""In the run's directory; held shared by every process of the run."""

SERVER = "server.json"
"""In a drill's directory: pid and start time of its server."""

KEEP = "keep"
"""In a drill's directory: the user asked to keep it."""

_QUIT_SECONDS = 10.0
_POLL_SECONDS = 0.01


def start_time(pid: int) -> str | None:
    """Return when process `pid` started, in the kernel's clock ticks; None when it is gone or a zombie.

    Source: proc(5), /proc/pid/stat: field 22, and the state in field 3.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def server_of(drill: Path) -> tuple[int, str] | None:
    """Return pid and start time of the drill's server; None when none was started."""
    try:
        record = json.loads((drill / SERVER).read_text())
        return int(record["pid"]), str(record["started"])
    except (OSError, ValueError, KeyError):
        return None


def container_of(drill: Path) -> str | None:
    """Return the container the drill's server runs in; None where it runs in none."""
    try:
        found = json.loads((drill / SERVER).read_text()).get("container")
    except (OSError, ValueError):
        return None
    return None if found is None else str(found)


def alive(server: tuple[int, str] | None) -> bool:
    """Tell whether that very process still runs; a reused pid is another process."""
    return server is not None and start_time(server[0]) == server[1]


def stop_server(drill: Path, signals: tuple[int, ...] = (signal.SIGQUIT, signal.SIGKILL)) -> None:
    """Send the drill's server one signal after the other until it is gone.

    SIGQUIT comes first because it lets the server remove its shared memory; SIGKILL leaves it.
    """
    server = server_of(drill)
    for number in signals:
        if server is None or not alive(server):
            return
        try:
            os.kill(server[0], number)
        except ProcessLookupError:
            return
        _wait_until_gone(server)


def _wait_until_gone(server: tuple[int, str]) -> None:
    deadline = time.monotonic() + _QUIT_SECONDS
    while alive(server) and time.monotonic() < deadline:
        try:
            os.waitpid(server[0], os.WNOHANG)  # reap it where it is our own child
        except ChildProcessError:
            pass
        time.sleep(_POLL_SECONDS)


def drills_of(root: Path) -> list[Path]:
    """Return the directories of the run's drills."""
    folder = root / "drills"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def remove_run(root: Path) -> bool:
    """Stop every server of the run and remove its directory, except what the user asked to keep.

    Returns whether anything was kept.
    """
    kept = False
    for drill in drills_of(root):
        if (drill / KEEP).exists():
            kept = True
            continue
        stop_server(drill)
        shutil.rmtree(drill, ignore_errors=True)
    if not kept:
        shutil.rmtree(root, ignore_errors=True)
    return kept


def main(root: Path) -> None:
    """Wait for the last process of the run to end, then remove what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C meant for pytest is not for us
    try:
        with (root / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            remove_run(root)
    except FileNotFoundError:
        return  # the run ended and cleaned up before we looked


if __name__ == "__main__":
    main(Path(sys.argv[1]))
