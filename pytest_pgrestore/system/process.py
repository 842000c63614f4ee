"""The one place that starts processes. A child gets an argv list and its whole environment."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.visible import quoted
from pytest_pgrestore.system import process_output as output
from pytest_pgrestore.system.feeder import Feeder
from pytest_pgrestore.system.process_group import end_group, ends_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import IO

    from pytest_pgrestore.system.account import Account

TAIL_LINES = 20
"""Lines of output kept in an error: enough for a tool's reason, short enough for JUnit."""

_LOOK_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Completed:
    r"""A finished process. Output is text; bytes that are not UTF-8 appear as ``\xff``."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    def tail(self) -> str:
        """Return the last lines it printed: of stderr, or of stdout when stderr is empty."""
        return tail(self.stderr or self.stdout)


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """Return the last `lines` lines of `text`, quoted for a message of ours."""
    return quoted(text.strip().splitlines()[-lines:])


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment of a child: English messages, UTC, and `extra`.

    Nothing else is inherited. libpq reads PGHOST, PGSERVICE and other PG* variables of the caller,
    which may name production (PostgreSQL docs, libpq, "Environment Variables").
    """
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
    """Return a function for the child that ties its life to the thread that starts it.

    The child calls it after setuid. The kernel then sends it a signal when that thread ends.

    Args:
        number: The signal. Not SIGKILL: a single-user postgres leaves its shared memory then.
        parent: Process id of the starter; None is this process.

    Source: prctl(2), PR_SET_PDEATHSIG; a change of credentials clears it, hence the order.
    """
    parent = os.getpid() if parent is None else parent

    def _bind() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os.kill(os.getpid(), number)  # the starter ended before the call of prctl

    return _bind


def run(  # noqa: PLR0913 - keywords, as those of subprocess.run
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    env: Mapping[str, str],
    account: Account | None = None,
    stdin: Iterable[bytes] | None = None,
    cwd: Path | None = None,
    check: bool = True,
    confine: Callable[[], None] | None = None,
    into: IO[bytes] | None = None,
) -> Completed:
    """Run `argv` without a shell and return what it printed.

    Args:
        argv: Program and arguments. Never put a secret here: other users can read it.
        timeout_seconds: The child and its children are killed when this passes.
        env: The whole environment of the child; nothing is inherited.
        account: The user who runs it; None is the caller.
        stdin: Chunks to write to its standard input; None is an empty input. An exception raised
            by the iterable ends the child and is raised here.
        cwd: Its working directory; None is the root directory, so no mount is kept busy.
        check: Whether a status other than 0 raises.
        confine: Runs in the child between fork and exec, after the change to `account`.
        into: File that gets its standard output, of any length; None returns the output.

    Raises:
        HarnessError: It could not be started, did not end in time, printed too much, or (with
            `check`) ended with an error.
    """
    bind = die_with_parent()

    def prepare() -> None:
        bind()
        if confine is not None:
            confine()

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = spawn(
            argv,
            env=env,
            streams=(out if into is None else into, err),
            prepare=prepare,
            stdin=stdin is not None,
            cwd=cwd,
            account=account,
        )
        _feed_and_wait(child, argv[0], stdin, timeout_seconds, (out, err))
        done = Completed(
            tuple(argv), child.returncode, output.whole(out, argv[0]), output.ends_of(err)
        )
    if check and done.status != 0:
        raise HarnessError(
            f"{Path(argv[0]).name} exited with status {done.status}: {done.tail()}",
            hint="fix the cause above.",
        )
    return done


def _feed_and_wait(
    child: subprocess.Popen[bytes],
    program: str,
    stdin: Iterable[bytes] | None,
    timeout_seconds: float,
    streams: tuple[IO[bytes], IO[bytes]],
) -> None:
    """Feed the child and wait for its end; nothing of its process group is left afterwards."""
    feeder = None
    if stdin is not None and child.stdin is not None:
        feeder = Feeder(stdin, child.stdin.write, child.stdin.close, failed=child.kill)
    ended = False
    try:
        deadline = time.monotonic() + timeout_seconds
        while not ended and (left := deadline - time.monotonic()) > 0:
            ended = ends_within(child, min(left, _LOOK_SECONDS))
            if not ended and output.is_endless(streams):
                raise output.too_much(program)
        if not ended:
            raise HarnessError(
                f"{Path(program).name} did not end within {timeout_seconds:g} s",
                hint="raise --pgrestore-timeout, or read what it was doing in the saved log.",
            )
    finally:
        end_group(child, gently=not ended)
        if feeder is not None:
            feeder.finish()
    if feeder is not None:
        feeder.raise_error()


def spawn(  # noqa: PLR0913 - keywords, as those of Popen
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    streams: tuple[IO[bytes] | int, IO[bytes] | int] = (subprocess.DEVNULL, subprocess.DEVNULL),
    prepare: Callable[[], None] | None = None,
    stdin: bool = False,
    cwd: Path | None = None,
    account: Account | None = None,
    passed: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own and return at once. Servers are started with this.

    Args:
        argv: Program and arguments.
        env: The whole environment of the child.
        streams: Its standard output and error.
        prepare: Runs in the child between fork and exec, after the change to `account`.
        stdin: Whether to give it a pipe to read from.
        cwd: Its working directory; None is the root directory.
        account: The user who runs it; None is the caller.
        passed: Descriptors that stay open in it.

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
            pass_fds=tuple(passed),
            preexec_fn=prepare,  # noqa: PLW1509 - a few system calls, bound before the fork
            **identity,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise HarnessError(
            f"could not start {argv[0]}: {exc}",
            hint="run `pgrestore doctor` to see which programs were found where.",
        ) from exc
