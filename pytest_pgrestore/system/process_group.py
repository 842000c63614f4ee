"""The end of a child process and of its process group: waiting for it, and bringing it about."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from pathlib import Path

GRACE_SECONDS = 5.0
"""Time a program gets after SIGTERM: initdb needs a moment to stop the postgres it runs."""

_POLL_SECONDS = 0.01
_POLL_LIMIT_MS = 2**31 - 1
"""poll(2) takes its timeout as an int."""


def ends_within(child: subprocess.Popen[bytes], timeout_seconds: float) -> bool:
    """Wait for `child`; return whether it ended in time. It is not reaped.

    This uses a process descriptor where the kernel has them (pidfd_open(2), Linux 5.3).
    `Popen.wait` with a timeout polls and sleeps up to 50 ms (Lib/subprocess.py, `_wait`).
    """
    try:
        descriptor = os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        return _ends_within_by_polling(child, timeout_seconds)
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(min(timeout_seconds * 1000, _POLL_LIMIT_MS)))
    finally:
        os.close(descriptor)


def _ends_within_by_polling(child: subprocess.Popen[bytes], timeout_seconds: float) -> bool:
    try:
        child.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def end_group(child: subprocess.Popen[bytes], *, gently: bool) -> None:
    """Kill what is left of the child's process group, and reap the child.

    Args:
        child: Leader of its own session, and so of its process group.
        gently: Send it SIGTERM first, and wait a moment. Its children then see their pipes end.
            A postgres that initdb runs leaves its shared memory behind when it is killed.
    """
    if gently:
        child.terminate()
        ends_within(child, GRACE_SECONDS)
        child.poll()
        deadline = time.monotonic() + GRACE_SECONDS
        while _group_lives(child.pid) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()


def _group_lives(group: int) -> bool:
    """Return whether a process of the group runs; a zombie does not.

    Source: proc(5), /proc/pid/stat: state is field 3, process group is field 5.
    """
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            return True
    return False
