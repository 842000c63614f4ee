"""The one place that starts processes: argv list, whole environment given, deadline required, output kept."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import IO

    from pytest_pgrestore.system.account import Account

TAIL_LINES = 20
"""Lines of output kept in an error: enough for a tool's reason, short enough for JUnit."""

_GRACE_SECONDS = 5.0
"""For a tool that is asked to end: initdb needs a moment to see its own child off."""

_POLL_SECONDS = 0.01
_PR_SET_PDEATHSIG = 1
_POLL_LIMIT_MS = 2**31 - 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished process. Output is text; bytes that are not UTF-8 are spelled out."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    def tail(self) -> str:
        """Return the last lines it printed, errors by preference."""
        return tail(self.stderr or self.stdout)


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """Return the last `lines` lines of `text`."""
    return "\n".join(text.strip().splitlines()[-lines:])


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment a child gets: nothing of the caller's PG* variables, messages in English, UTC."""
    base = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "LC_MESSAGES": "C",
        "LANGUAGE": "",
        "TZ": "UTC",
        "HOME": "/nonexistent",
        "PGTZ": "UTC",
    }
    return base | dict(extra or {})


def die_with_parent(number: int = signal.SIGTERM, parent: int | None = None) -> Callable[[], None]:
    """Return what a child does after setuid so that the kernel sends it a signal when the thread that starts it ends.

    Args:
        number: The signal.
        parent: Who starts it; None is this process.

    Not SIGKILL: a standalone postgres that is killed leaves its shared memory.

    Source: prctl(2), PR_SET_PDEATHSIG; it is cleared by a change of credentials, hence the order.
    """
    parent = os.getpid() if parent is None else parent

    def _bind() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os.kill(os.getpid(), number)  # it ended before we had asked

    return _bind


def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    env: Mapping[str, str],
    account: Account | None = None,
    stdin: Iterable[bytes] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> Completed:
    """Run `argv` without a shell and return what it printed.

    Args:
        argv: Program and arguments. Never put a secret here: other users can read it.
        timeout_seconds: The child and its children are killed when this passes.
        env: The whole environment of the child; nothing is inherited.
        account: Who runs it; None is the caller.
        stdin: Chunks to write to its standard input; None is an empty input. An exception raised by the
            iterable ends the child and is passed on.
        cwd: Its working directory; None is the root directory, so no mount is kept busy.
        check: Whether a status other than 0 raises.

    Raises:
        HarnessError: It could not be started, did not end in time, or (with `check`) ended with an error.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = spawn(
            argv,
            env=env,
            streams=(out, err),
            prepare=die_with_parent(),
            stdin=stdin is not None,
            cwd=cwd,
            account=account,
        )
        feeder = _Feeder(child, stdin) if stdin is not None else None
        ended = False
        try:
            ended = _ends_within(child, timeout_seconds)
            if not ended:
                raise HarnessError(
                    f"{Path(argv[0]).name} did not end within {timeout_seconds:g} s",
                    hint="raise --pgrestore-timeout, or read what it was doing in the saved log.",
                )
        finally:
            _end_group(child, gently=not ended)
            if feeder is not None:
                feeder.finish()
        if feeder is not None and feeder.error is not None:
            raise feeder.error
        done = Completed(tuple(argv), child.returncode, _text(out), _text(err))
    if check and done.status != 0:
        raise HarnessError(
            f"{Path(argv[0]).name} exited with status {done.status}: {done.tail()}",
            hint="fix the cause above.",
        )
    return done


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    streams: tuple[IO[bytes] | int, IO[bytes] | int] = (subprocess.DEVNULL, subprocess.DEVNULL),
    prepare: Callable[[], None] | None = None,
    stdin: bool = False,
    cwd: Path | None = None,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own and return at once: the servers, and the door `run` goes through.

    Args:
        argv: Program and arguments.
        env: The whole environment of the child.
        streams: Its standard output and error.
        prepare: Runs in the child between fork and exec, after the change to `account`.
        stdin: Whether to give it a pipe to read from.
        cwd: Its working directory; None is the root directory.
        account: Who runs it; None is the caller.

    Raises:
        HarnessError: It could not be started.
    """
    identity = {} if account is None else account.popen_arguments()
    try:
        return subprocess.Popen(  # noqa: S603 - argv list, no shell
            list(argv),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=streams[0],
            stderr=streams[1],
            env=dict(env),
            cwd=str(cwd) if cwd is not None else "/",
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - a few system calls, bound before the fork
            **identity,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise HarnessError(
            f"could not start {argv[0]}: {exc}",
            hint="run `pgrestore doctor` to see which programs were found where.",
        ) from exc


class _Feeder:
    """Writes chunks to a child's standard input from a thread, so the deadline keeps its meaning."""

    def __init__(self, child: subprocess.Popen[bytes], chunks: Iterable[bytes]) -> None:
        self.error: BaseException | None = None
        self._child = child
        self._chunks = chunks
        self._thread = threading.Thread(target=self._feed, name="pgrestore-stdin", daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        stdin = self._child.stdin
        if stdin is None:
            return
        try:
            for chunk in self._chunks:
                stdin.write(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the child ended first; its own status says why
        except BaseException as exc:  # noqa: BLE001 - handed to the caller, in its own thread
            self.error = exc
            self._child.kill()
        finally:
            try:
                stdin.close()
            except OSError:
                pass

    def finish(self) -> None:
        """Wait until the thread has let go of the pipe."""
        self._thread.join()


def _ends_within(child: subprocess.Popen[bytes], timeout_seconds: float) -> bool:
    """Wait for `child`; tell whether it ended in time.

    Through a process descriptor where there are any: `Popen.wait` with a timeout sleeps up to 50 ms too long.
    """
    try:
        descriptor = os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        try:
            child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(min(timeout_seconds * 1000, _POLL_LIMIT_MS)))
    finally:
        os.close(descriptor)


def _end_group(child: subprocess.Popen[bytes], *, gently: bool) -> None:
    """End what is left of the child's process group, and reap the child.

    Gently, the child is asked first and its children see their pipes end: initdb runs a postgres that leaves its
    shared memory behind when it is killed.
    """
    if gently:
        child.terminate()
        _ends_within(child, _GRACE_SECONDS)
        child.poll()
        deadline = time.monotonic() + _GRACE_SECONDS
        while _group_lives(child.pid) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()


def _group_lives(group: int) -> bool:
    """Tell whether a process of the group runs; one that ended and waits to be reaped does not."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            return True
    return False


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    # backslashreplace, never surrogateescape: a lone surrogate kills an xdist worker.
    return stream.read().decode("utf-8", errors="backslashreplace")
