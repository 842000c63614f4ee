"""Removes a run's servers and data when every process of the run is gone, or when the run's time limit has passed.

A program of its own, standard library only: it must outlive the pytest that starts it, also a SIGKILL. It is started
before anything else is made, and reads from a pipe that ends with the process that started it. Each process of the run
holds a shared lock on ``run.lock``; the kernel drops locks with their holders, and whoever gets the exclusive one
knows that all are gone. The same functions serve the sweep at the next start and the ordinary end.
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
from typing import NamedTuple

LOCK = "run.lock"
"""In the run's directory; held shared by every process of the run."""

SERVER = "server.json"
"""In a drill's directory: pid and start time of its server."""

KEEP = "keep"
"""In a drill's directory: the user asked to keep it."""

UNTIL = "until"
"""In the run's directory: when its time limit passes, in seconds of the system's clock."""

OVERDUE = "overdue"
"""In the run's directory: the limit has passed and the copies were removed."""

_QUIT_SECONDS = 10.0
_REMOVE_SECONDS = 10.0
_POLL_SECONDS = 0.01
_LINGER_SECONDS = 1.0
_IPC_RMID = 0
_SHMEM_LINE = 7
"""Line of postmaster.pid that holds key and id of the server's System V segment (src/include/utils/pidfile.h)."""


class Process(NamedTuple):
    """A process as /proc shows it. Its start time tells it from a later one of the same number."""

    pid: int
    session: int
    terminal: int
    started: str


class Memory(NamedTuple):
    """Shared memory that outlives a killed server: System V segments by id, and files of dynamic shared memory."""

    segments: set[int]
    files: set[Path]

    def existing(self) -> list[str]:
        """Return what of it is still there, in words."""
        present = {segment for segment, _ in _segments()}
        found = [f"shared memory segment {number}" for number in sorted(self.segments & present)]
        return found + [f"shared memory {path}" for path in sorted(self.files) if path.exists()]

    def remove(self) -> None:
        """Remove what is still there, as ``ipcrm -m`` does."""
        for path in self.files:
            path.unlink(missing_ok=True)
        left = self.segments & {segment for segment, _ in _segments()}
        if left:
            import ctypes

            libc = ctypes.CDLL(None)
            for number in left:
                libc.shmctl(number, _IPC_RMID, None)


def start_time(pid: int) -> str | None:
    """Return when process `pid` started, in the kernel's clock ticks; None when it is gone or a zombie."""
    process = _process(pid)
    return None if process is None else process.started


def server_of(drill: Path) -> tuple[int, str] | None:
    """Return pid and start time of the drill's server; None when none was started."""
    try:
        record = json.loads((drill / SERVER).read_text())
        return int(record["pid"]), str(record["started"])
    except (OSError, ValueError, KeyError):
        return None


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


def processes_of(root: Path, spare: tuple[Path, ...] = ()) -> list[Process]:
    """Return our processes below `root`: servers, tools, and whatever those started.

    All of ours are started with their working directory there, in a session of their own without a terminal. So
    neither a shell that stands in the directory nor a psql that somebody runs from there is among them.

    Args:
        root: Directory of a drill or of a run.
        spare: Directories below it whose processes are left out.
    """
    everybody = _processes()
    candidates = {
        pid: process
        for pid, process in everybody.items()
        if process.terminal == 0 and _stands_below(pid, root, spare) and _is_postgres(pid)
    }
    sessions = {
        process.session
        for process in candidates.values()
        if process.session in candidates or process.session not in everybody
    }
    return [process for process in everybody.values() if process.session in sessions]


def stop_processes(root: Path, spare: tuple[Path, ...] = ()) -> Memory:
    """End our processes below `root`; return the shared memory they had, which is removed.

    Also a server that was started a moment before its starter was killed, and that nobody wrote down.
    """
    memory = Memory(set(), set())
    known: set[Process] = set()
    for number in (None, signal.SIGKILL):
        deadline = time.monotonic() + _QUIT_SECONDS
        told: set[Process] = set()
        while time.monotonic() < deadline:
            left = _running(known)
            if not left:
                # Looked for again until there is none: what is told to end may have started another.
                left = set(processes_of(root, spare))
                known |= left
                if not left:
                    break
            _note_memory(memory, left - told)
            for process in left - told:
                _send(process.pid, number)
            told |= left
            _reap(left)
            time.sleep(_POLL_SECONDS)
    memory.remove()
    return memory


def _running(processes: set[Process]) -> set[Process]:
    return {process for process in processes if start_time(process.pid) == process.started}


def _send(pid: int, number: int | None) -> None:
    # A server removes its shared memory on SIGQUIT, its backends end at once; the tools know SIGTERM.
    name = number or (signal.SIGQUIT if _program(pid) == "postgres" else signal.SIGTERM)
    try:
        os.kill(pid, name)
    except (ProcessLookupError, PermissionError):
        pass


def _reap(processes: set[Process]) -> None:
    for process in processes:
        try:
            os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:
            pass


def memory_of_dead_server(drill: Path) -> Memory:
    """Return the segment that the drill's server left when it was killed.

    The file that names it may have come with the backup and name the segment of a production server on this machine:
    it counts only where the server we started wrote it, and made the segment.
    """
    server = server_of(drill)
    try:
        lines = (drill / "data" / "postmaster.pid").read_text().splitlines()
        pid, segment = int(lines[0]), int(lines[_SHMEM_LINE - 1].split()[1])
    except (OSError, IndexError, ValueError):
        return Memory(set(), set())
    ours = server is not None and server[0] == pid and (segment, pid) in _segments()
    return Memory({segment} if ours else set(), set())


def _note_memory(memory: Memory, processes: set[Process]) -> None:
    pids = {process.pid for process in processes}
    memory.segments.update(segment for segment, creator in _segments() if creator in pids)
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        except OSError:
            continue
        # Dynamic shared memory: src/backend/storage/ipc/dsm_impl.c, dsm_impl_posix.
        memory.files.update(Path(line.split()[5]) for line in lines if "/dev/shm/PostgreSQL." in line)  # noqa: S108


def _segments() -> set[tuple[int, int]]:
    """Return id and creator of every System V segment. Source: proc(5), /proc/sysvipc/shm, columns 2 and 5."""
    try:
        rows = [row.split() for row in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    except OSError:
        return set()
    return {(int(row[1]), int(row[4])) for row in rows}


def _process(pid: int) -> Process | None:
    """Return a process that runs; None when it is gone or a zombie.

    Source: proc(5), /proc/pid/stat: state 3, session 6, terminal 7, start time 22.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if not fields or fields[0] in "ZX":
        return None
    return Process(pid, int(fields[3]), int(fields[4]), fields[19])


def _processes() -> dict[int, Process]:
    found = (_process(int(name)) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - hot
    return {process.pid: process for process in found if process is not None}


def _stands_below(pid: int, root: Path, spare: tuple[Path, ...]) -> bool:
    try:
        cwd = Path(os.readlink(f"/proc/{pid}/cwd"))  # noqa: PTH115 - a deleted directory has no Path to follow
    except OSError:
        return False
    places = {cwd, *cwd.parents}
    return root in places and places.isdisjoint(spare)


def _program(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name  # noqa: PTH115 - as above
    except OSError:
        return ""


def _is_postgres(pid: int) -> bool:
    name = _program(pid)
    return name in {"postgres", "initdb", "psql"} or name.startswith("pg_")


def drills_of(root: Path) -> list[Path]:
    """Return the directories of the run's drills."""
    folder = root / "drills"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def remove_run(root: Path) -> bool:
    """Stop every process of the run and remove its directory, except what the user asked to keep.

    Returns whether anything was kept.
    """
    kept = remove_drills(root)
    if not kept:
        _remove(root)
    return kept


def remove_drills(root: Path) -> bool:
    """Stop the run's servers and tools and remove its copies; return whether the user asked to keep one."""
    drills = drills_of(root)
    kept = tuple(drill for drill in drills if (drill / KEEP).exists())
    stop_processes(root, kept)
    for drill in drills:
        if drill not in kept:
            stop_server(drill)
            memory_of_dead_server(drill).remove()
            _remove(drill)
    return bool(kept)


def forget_keeping(root: Path) -> None:
    """Take back the wish to keep the drills of a run."""
    for drill in drills_of(root):
        (drill / KEEP).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Remove a tree, also while somebody who is about to end still writes into it."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    shutil.rmtree(path, ignore_errors=True)
    while path.exists() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        shutil.rmtree(path, ignore_errors=True)


def past_its_limit(root: Path) -> bool:
    """Tell whether the time limit of a run has passed; a run that does not say has none."""
    try:
        return time.time() >= float((root / UNTIL).read_text())
    except (OSError, ValueError):
        return False


def ignore_signals() -> None:
    """Ignore what ends a job: it is meant for pytest. Called before exec too, so that no moment is left open."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def main(root: Path, limit_seconds: float) -> None:
    """Wait for the last process of the run to end, or for the limit; then remove what there is."""
    ignore_signals()
    deadline = time.monotonic() + limit_seconds
    _watch(root, deadline)
    shutil.rmtree(root.with_name(f".{root.name}"), ignore_errors=True)  # its maker died while making it
    kept = remove_run(root)
    while kept and root.exists() and time.monotonic() < deadline:
        time.sleep(_LINGER_SECONDS)
    forget_keeping(root)
    remove_run(root)


def _watch(root: Path, deadline: float) -> None:
    """Return when no process of the run is left; past the deadline remove every copy, and any that is made later."""
    starter_gone = False
    while not (starter_gone and _all_gone(root)):
        left = deadline - time.monotonic()
        if left <= 0 and root.exists():
            (root / OVERDUE).touch()  # first: no restore begins from here on
            forget_keeping(root)
            remove_drills(root)
        if starter_gone:
            time.sleep(_POLL_SECONDS)
        else:
            starter_gone = bool(select.select([0], [], [], max(left, _LINGER_SECONDS))[0])


def _all_gone(root: Path) -> bool:
    try:
        with (root / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass  # the run ended and cleaned up, or never got so far
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
