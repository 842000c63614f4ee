"""Our processes below a directory, and the shared memory they leave when they are killed.

Standard library only: the watchdog imports it, and runs without site-packages (``python -S``).
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

QUIT_SECONDS = 10.0
"""Time for a server to end after SIGQUIT (immediate shutdown)."""

POLL_SECONDS = 0.01
_IPC_RMID = 0
"""Command of shmctl(2), from <sys/ipc.h>."""


class Process(NamedTuple):
    """A process as /proc shows it. Pid and start time together name it: pids are used again."""

    pid: int
    session: int
    terminal: int
    started: str


class Memory(NamedTuple):
    """Shared memory that outlives a killed server.

    Attributes:
        segments: Ids of System V segments (PostgreSQL: src/backend/port/sysv_shmem.c).
        files: Files of dynamic shared memory in /dev/shm (src/backend/storage/ipc/dsm_impl.c).
    """

    segments: set[int]
    files: set[Path]

    def existing(self) -> list[str]:
        """Return what still exists, in words."""
        present = {segment for segment, _ in segments()}
        found = [f"shared memory segment {number}" for number in sorted(self.segments & present)]
        return found + [f"shared memory {path}" for path in sorted(self.files) if path.exists()]

    def remove(self) -> None:
        """Remove what still exists; segments as ``ipcrm -m`` does."""
        for path in self.files:
            path.unlink(missing_ok=True)
        left = self.segments & {segment for segment, _ in segments()}
        if left:
            import ctypes

            libc = ctypes.CDLL(None)
            for number in left:
                libc.shmctl(number, _IPC_RMID, None)


def start_time(pid: int) -> str | None:
    """Return when process `pid` started, in clock ticks since boot; None if gone or a zombie."""
    process = _process(pid)
    return None if process is None else process.started


def signal_process(pid: int, started: str, number: int) -> bool:
    """Send a signal to the process with that pid and start time; return whether it was there.

    The process is held by a descriptor while its start time is read, so a pid that is used again in
    between names no other process (pidfd_open(2), Linux 5.3).
    """
    try:
        process = os.pidfd_open(pid)
    except AttributeError:  # not Linux
        process = -1
    except OSError:
        return False
    try:
        if start_time(pid) != started:
            return False
        if process < 0:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(process, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        if process >= 0:
            os.close(process)
    return True


def processes_of(root: Path, spare: tuple[Path, ...] = ()) -> list[Process]:
    """Return our processes below `root`: servers, tools, and the processes those started.

    We start each with its working directory below `root`, in a session of its own without a
    terminal. A user's shell in that directory, or a psql started from it, is therefore not found.

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
    """End our processes below `root`; return the shared memory they had. It is removed too.

    This includes a server whose starter was killed before it could record the server.
    """
    memory = Memory(set(), set())
    known: set[Process] = set()
    for number in (None, signal.SIGKILL):
        deadline = time.monotonic() + QUIT_SECONDS
        signalled: set[Process] = set()
        while time.monotonic() < deadline:
            left = _running(known)
            if not left:
                # Search again until nothing is found: an ending process may have started another.
                left = set(processes_of(root, spare))
                known |= left
                if not left:
                    break
            _note_memory(memory, left - signalled)
            for process in left - signalled:
                _send(process, number)
            signalled |= left
            _reap(left)
            time.sleep(POLL_SECONDS)
    memory.remove()
    return memory


def _running(processes: set[Process]) -> set[Process]:
    return {process for process in processes if start_time(process.pid) == process.started}


def _send(process: Process, number: int | None) -> None:
    # SIGQUIT is PostgreSQL's immediate shutdown: the server removes its shared memory, and its
    # backends end at once (PostgreSQL docs, "Shutting Down the Server"). Tools end on SIGTERM.
    gentle = signal.SIGQUIT if _program(process.pid) == "postgres" else signal.SIGTERM
    signal_process(process.pid, process.started, number or gentle)


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
        # Name of dynamic shared memory: dsm_impl.c, `dsm_impl_posix`: "/PostgreSQL.%u".
        memory.files.update(
            Path(line.split()[5])
            for line in lines
            if "/dev/shm/PostgreSQL." in line  # noqa: S108 - shm_open(3) makes files there
        )


def segments() -> set[tuple[int, int]]:
    """Return id and creator's pid of every System V segment.

    Source: proc(5), /proc/sysvipc/shm, columns 2 and 5.
    """
    try:
        rows = [row.split() for row in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    except OSError:
        return set()
    return {(int(row[1]), int(row[4])) for row in rows}


def _process(pid: int) -> Process | None:
    """Return process `pid`; None when it is gone or a zombie.

    Source: proc(5), /proc/pid/stat: fields 3 (state), 6 (session), 7 (terminal), 22 (start time).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if not fields or fields[0] in "ZX":
        return None
    return Process(pid, int(fields[3]), int(fields[4]), fields[19])


def _processes() -> dict[int, Process]:
    names = os.listdir("/proc")  # noqa: PTH208 - hot: called in a loop until all have ended
    found = (_process(int(name)) for name in names if name.isdigit())
    return {process.pid: process for process in found if process is not None}


def _stands_below(pid: int, root: Path, spare: tuple[Path, ...]) -> bool:
    cwd = _link(pid, "cwd")
    if cwd is None:
        return False
    places = {cwd, *cwd.parents}
    return root in places and places.isdisjoint(spare)


def _link(pid: int, name: str) -> Path | None:
    """Return the target of link `name` of a process: ``cwd`` or ``exe``; None if it is gone.

    The kernel appends " (deleted)" to the target of a removed file (proc(5)).
    """
    try:
        return Path(os.readlink(f"/proc/{pid}/{name}"))  # noqa: PTH115 - hot: every process
    except OSError:
        return None


def _program(pid: int) -> str:
    program = _link(pid, "exe")
    return "" if program is None else program.name.removesuffix(" (deleted)")


def _is_postgres(pid: int) -> bool:
    name = _program(pid)
    return name in {"bwrap", "initdb", "postgres", "psql"} or name.startswith("pg_")


def processes_below(root: Path) -> list[int]:
    """Return the pids whose working directory is `root` or below it, whoever started them.

    Every PostgreSQL server process has PGDATA as its working directory (`ChangeToDataDir` in
    src/backend/utils/init/miscinit.c).
    """
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if _stands_below(pid, root, ())]
