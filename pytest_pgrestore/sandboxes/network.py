"""Starting a server without a network of its own: a namespace with nothing in it, where the system allows one."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.process import child_environment, spawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.sandboxes.account import Account

CUT = "cut: a network namespace of its own, without any interface; Unix sockets are only closed by file permissions"
OPEN = "NOT cut: this system allows no network namespace; TCP is off and nothing that connects is loaded"

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PROBE_SECONDS = 10.0
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def enter(account: Account, *, cut: bool) -> Callable[[], None]:
    """Return what a child does between fork and exec: leave the network, then become `account`.

    Source: unshare(2), user_namespaces(7). Root needs no user namespace; others map themselves to themselves.
    """
    uid, gid = os.getuid(), os.getgid()

    def _enter() -> None:
        if cut and _LIBC is not None:
            flags = _CLONE_NEWNET if account.drop else _CLONE_NEWNET | _CLONE_NEWUSER
            if _LIBC.unshare(flags) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            if not account.drop:
                _write("/proc/self/setgroups", "deny")
                _write("/proc/self/uid_map", f"{uid} {uid} 1")
                _write("/proc/self/gid_map", f"{gid} {gid} 1")
        if account.drop:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)

    return _enter


def can_be_cut(account: Account) -> bool:
    """Tell whether a child can be given a network namespace here; tried once, with a program that does nothing."""
    if _LIBC is None:
        return False
    try:
        # The shell, because root's own interpreter may be closed to the unprivileged user.
        child = spawn(["/bin/sh", "-c", ":"], env=child_environment(), prepare=enter(account, cut=True))
    except HarnessError:
        return False
    child.wait(_PROBE_SECONDS)
    return True


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
