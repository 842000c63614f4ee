"""Removes a run's servers and data when all its processes have ended, or its time limit has passed.

It is a program of its own, standard library only: it must outlive the pytest that starts it, even
if that is killed. It is started before anything else is made. Its standard input is a pipe that
ends with the process that started it. Each process of the run holds a shared lock on ``run.lock``.
The kernel releases the lock of a process that ends (flock(2)), so whoever gets the exclusive lock
knows that all have ended. The sweep at the next start and the ordinary end use the same functions.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

from pytest_pgrestore.system.process_table import (
    POLL_SECONDS,
    QUIT_SECONDS,
    Memory,
    segments,
    signal_process,
    start_time,
    stop_processes,
)
from pytest_pgrestore.system.regular_file import read_limited

LOCK = "run.lock"
"""In the run's directory; held shared by every process of the run."""

SERVER = "server.json"
"""In a drill's directory: pid and start time of its server, and its container."""

KEEP = "keep"
"""In a drill's directory: the user wants to keep the drill."""

COPIES = "copies"
"""In the run's directory: the copies of containers, by the names of the drills' directories."""

UNTIL = "until"
"""In the run's directory: when its time limit passes, in seconds since the epoch."""

OVERDUE = "overdue"
"""In the run's directory: the time limit has passed, and the copies were removed."""

_REMOVE_SECONDS = 10.0
_LINGER_SECONDS = 1.0
_PIDFILE_BYTES = 64 * 1024
_SHMEM_LINE = 7
"""Line of postmaster.pid with key and id of the server's System V segment.

Source: PostgreSQL, src/include/utils/pidfile.h, LOCK_FILE_LINE_SHMEM_KEY.
"""


def server_of(drill: Path) -> tuple[int, str] | None:
    """Return pid and start time of the drill's server; None if none was started."""
    try:
        record = json.loads((drill / SERVER).read_text())
        return int(record["pid"]), str(record["started"])
    except (OSError, ValueError, KeyError):
        return None


def container_of(drill: Path) -> str | None:
    """Return the container that the drill's server runs in; None if it runs in none."""
    try:
        found = json.loads((drill / SERVER).read_text()).get("container")
    except (OSError, ValueError):
        return None
    return None if found is None else str(found)


def alive(server: tuple[int, str] | None) -> bool:
    """Return whether that process still runs; a reused pid is another process."""
    return server is not None and start_time(server[0]) == server[1]


def stop_server(drill: Path, signals: tuple[int, ...] = (signal.SIGQUIT, signal.SIGKILL)) -> None:
    """Send the drill's server one signal after the other until it is gone.

    SIGQUIT comes first because the server removes its shared memory then. After SIGKILL the memory
    stays (PostgreSQL docs, "Shutting Down the Server").
    """
    server = server_of(drill)
    for number in signals:
        if server is None or not signal_process(server[0], server[1], number):
            return
        _wait_until_gone(server)


def _wait_until_gone(server: tuple[int, str]) -> None:
    deadline = time.monotonic() + QUIT_SECONDS
    while alive(server) and time.monotonic() < deadline:
        try:
            os.waitpid(server[0], os.WNOHANG)  # reap it, if it is our child
        except ChildProcessError:
            pass
        time.sleep(POLL_SECONDS)


def memory_of_dead_server(drill: Path) -> Memory:
    """Return the segment that the drill's server left when it was killed.

    Its postmaster.pid may have come with the backup, and name the segment of a production server on
    this machine. It counts only if the server we started wrote the file and made the segment.
    """
    server = server_of(drill)
    try:
        # The server's user can write there: a link, a FIFO or an endless file is not read.
        path = drill / "data" / "postmaster.pid"
        lines = read_limited(path, _PIDFILE_BYTES, follow=False).decode().splitlines()
        pid, segment = int(lines[0]), int(lines[_SHMEM_LINE - 1].split()[1])
    except (OSError, IndexError, ValueError):
        return Memory(set(), set())
    ours = server is not None and server[0] == pid and (segment, pid) in segments()
    return Memory({segment} if ours else set(), set())


def drills_of(root: Path) -> list[Path]:
    """Return the directories of the run's drills."""
    folder = root / "drills"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def remove_run(root: Path) -> bool:
    """Stop the run's processes and remove its directory, except drills the user wants to keep.

    Returns whether anything was kept.
    """
    kept = remove_drills(root)
    if not kept:
        _remove(root)
    return kept


def remove_drills(root: Path) -> bool:
    """Stop the run's servers and tools, and remove its copies; return whether one was kept."""
    drills = drills_of(root)
    kept = tuple(drill for drill in drills if (drill / KEEP).exists())
    # The copy of a kept container has the same name in another directory.
    stop_processes(root, kept + tuple(root / COPIES / drill.name for drill in kept))
    for drill in drills:
        if drill not in kept:
            stop_server(drill)
            memory_of_dead_server(drill).remove()
            _remove(drill)
    return bool(kept)


def forget_keeping(root: Path) -> None:
    """Mark no drill of the run as kept any more."""
    for drill in drills_of(root):
        (drill / KEEP).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Remove a tree, even if a process that is about to end still writes into it."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    shutil.rmtree(path, ignore_errors=True)
    while path.exists() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        shutil.rmtree(path, ignore_errors=True)


def past_its_limit(root: Path) -> bool:
    """Return whether the time limit of a run has passed; without a file `UNTIL` it has none."""
    try:
        return time.time() >= float((root / UNTIL).read_text())
    except (OSError, ValueError):
        return False


def ignore_signals() -> None:
    """Ignore signals that end a job: they are meant for pytest.

    Also called before exec: ignored signals stay ignored through it (signal(7)).
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def main(root: Path, limit_seconds: float) -> None:
    """Wait for the last process of the run to end, or for the limit; then remove everything."""
    ignore_signals()
    deadline = time.monotonic() + limit_seconds
    _watch(root, deadline)
    # Not renamed to its final name yet: the process that made it died in between.
    shutil.rmtree(root.with_name(f".{root.name}"), ignore_errors=True)
    kept = remove_run(root)
    while kept and root.exists() and time.monotonic() < deadline:
        time.sleep(_LINGER_SECONDS)
    forget_keeping(root)
    remove_run(root)


def _watch(root: Path, deadline: float) -> None:
    """Return when no process of the run is left. Remove every copy once the deadline passes."""
    starter_gone = False
    while not (starter_gone and _all_gone(root)):
        left = deadline - time.monotonic()
        if left <= 0 and root.exists():
            (root / OVERDUE).touch()  # first: no restore begins after this
            forget_keeping(root)
            remove_drills(root)
        if starter_gone:
            time.sleep(POLL_SECONDS)
        else:
            starter_gone = bool(select.select([0], [], [], max(left, _LINGER_SECONDS))[0])


def _all_gone(root: Path) -> bool:
    try:
        with (root / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass  # the run ended and removed everything, or never made the file
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
