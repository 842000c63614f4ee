"""Landlock: a process gives up, for good, every file, TCP port and signal that it does not need.

It needs neither root nor a namespace, and works inside containers. The rules are made in the
parent. Between fork and exec the child makes two system calls, and every program that it starts is
bound by them too. A package of bindings exists on PyPI, but it applies its rules where it makes
them, and it knows nothing of signals.

Source: landlock(7), linux/landlock.h, Documentation/userspace-api/landlock.rst of Linux.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

# Rights on files, by the version of the interface that brought them (linux/landlock.h).
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FIRST_RIGHTS = (1 << 13) - 1
_MAKE_DEVICES = 1 << 6 | 1 << 11
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_BIND_AND_CONNECT_TCP = 3
_ABSTRACT_SOCKETS_AND_SIGNALS = 3

SIGNALS_SINCE = 6
"""Version of the interface since which signals to others, and abstract sockets, are stopped."""

TCP_SINCE = 4
"""Version of the interface since which TCP is stopped."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a confined process can reach; everything else is closed to it.

    A path that does not exist is left out. Permissions of files count as before.

    Attributes:
        read: Files and directories, with all below them, that it reads and executes.
        write: Files and directories, with all below them, that it reads and changes.
        tcp: Whether it may use TCP.
    """

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    tcp: bool = False


@cache
def version() -> int:
    """Return the version of Landlock's interface that this kernel offers; 0 for none."""
    if _LIBC is None:
        return 0
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)))


@contextmanager
def restriction(reach: Reach) -> Iterator[Callable[[], None]]:
    """Yield a function for a child between fork and exec that confines it to `reach`.

    The function raises OSError if the kernel refuses. Children started after the block are not
    confined by it.

    Raises:
        HarnessError: The kernel has no Landlock, or refuses the rules.
    """
    ruleset = _ruleset(reach)
    try:
        yield lambda: _restrict(ruleset)
    finally:
        os.close(ruleset)


def _restrict(ruleset: int) -> None:
    if _LIBC is None or _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if _LIBC.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")


def _ruleset(reach: Reach) -> int:
    """Return the descriptor of a ruleset; it is closed on exec."""
    found = version()
    handled = _FIRST_RIGHTS
    for right, since in ((_REFER, 2), (_TRUNCATE, 3), (_IOCTL_DEV, 5)):
        handled |= right if found >= since else 0
    tcp = _BIND_AND_CONNECT_TCP if found >= TCP_SINCE and not reach.tcp else 0
    scoped = _ABSTRACT_SOCKETS_AND_SIGNALS if found >= SIGNALS_SINCE else 0
    fields = [handled] + [tcp] * (found >= TCP_SINCE) + [scoped] * (found >= SIGNALS_SINCE)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in reach.read:
            _allow(ruleset, path, _READ & handled)
        for path in reach.write:
            _allow(ruleset, path, handled & ~_MAKE_DEVICES & ~_IOCTL_DEV)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not S_ISDIR(os.fstat(place).st_mode):
            rights &= _ON_FILES
        # struct landlock_path_beneath_attr is packed: 8 bytes of rights, then the descriptor.
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: int | bytes) -> int:
    answer = -1 if _LIBC is None else int(_LIBC.syscall(number, *arguments))
    if answer < 0:
        raise HarnessError(
            f"Landlock refused its rules: {os.strerror(ctypes.get_errno())}",
            hint='set sandbox.confine = "off" to do without, or report this with your kernel.',
        )
    return answer
