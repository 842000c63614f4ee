"""Our processes below a directory, and the shared memory they leave when they are killed: found, ended, removed.

Standard library only, as the watchdog that uses it.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

QUIT_SECONDS = 10.0
"""For a server to end on SIGQUIT."""

POLL_SECONDS = 0.01
_IPC_RMID = 0


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
        present = {segment for segment, _ in segments()}
        found = [f"shared memory segment {number}" for number in sorted(self.segments & present)]
        return found + [f"shared memory {path}" for path in sorted(self.files) if path.exists()]

    def remove(self) -> None:
        """Remove what is still there, as ``ipcrm -m`` does."""
        for path in self.files:
            path.unlink(missing_ok=True)
        left = self.segments & {segment for segment, _ in segments()}
        if left:
            import ctypes

            libc = ctypes.CDLL(None)
            for number in left:
                libc.shmctl(number, _IPC_RMID, None)


def start_time(pid: int) -> str | None:
    """Return when process `pid` started, in the kernel's clock ticks; None when it is gone or a zombie."""
    process = _process(pid)
    return None if process is None else process.started


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
        deadline = time.monotonic() + QUIT_SECONDS
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
            time.sleep(POLL_SECONDS)
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


def _note_memory(memory: Memory, processes: set[Process]) -> None:
    pids = {process.pid for process in processes}
    memory.segments.update(segment for segment, creator in segments() if creator in pids)
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        except OSError:
            continue
        # Dynamic shared memory: src/backend/storage/ipc/dsm_impl.c, dsm_impl_posix.
        memory.files.update(
            Path(line.split()[5])
            for line in lines
            if "/dev/shm/PostgreSQL." in line  # noqa: S108 - the kernel's own name
        )


def segments() -> set[tuple[int, int]]:
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
