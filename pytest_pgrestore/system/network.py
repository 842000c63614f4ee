"""Networks of processes: starting one without any, and finding what a running one could reach.

A network namespace does not cut off Unix sockets that have a path; only file permissions do.

Source: network_namespaces(7); unix(7): connecting needs write permission on the socket.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.process import child_environment, run, spawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.system.account import Account

CUT = (
    "cut: a network namespace of its own, without any interface;"
    " Unix sockets are only closed by file permissions"
)
OPEN = (
    "NOT cut: this system allows no network namespace;"
    " TCP is off and nothing that connects is loaded"
)

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
"""Flags of unshare(2), from <sched.h>."""

_PROBE_SECONDS = 30.0
_LOOPBACK = "lo"
_LOOPBACK_NET = "127"
_ADDRESS = re.compile(r"\|-- (\d+)\.\d+\.\d+\.\d+\n\s+/32 host LOCAL")
"""An address of this namespace in /proc/pid/net/fib_trie."""

_SERVER_SOCKET = re.compile(r"\s(/\S.*/\.s\.PGSQL\.\d+)$", re.MULTILINE)
"""Name of a server's socket: UNIXSOCK_PATH in PostgreSQL's src/include/libpq/pqcomm.h."""

_WRITABLE = 'for path; do if test -w "$path"; then printf "%s\\n" "$path"; fi; done'
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def enter(account: Account, *, cut: bool) -> Callable[[], None]:
    """Return a function for a child between fork and exec: leave the network, become `account`.

    Root needs no user namespace for that. Another user needs one, and maps itself to itself.

    Source: unshare(2); user_namespaces(7), on uid_map, gid_map and setgroups.
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
    """Return whether a child can get a network namespace here; tried with an empty program."""
    if _LIBC is None:
        return False
    try:
        # The shell: the unprivileged user may not be able to run our Python, e.g. below /root.
        child = spawn(
            ["/bin/sh", "-c", ":"], env=child_environment(), prepare=enter(account, cut=True)
        )
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


def interfaces_of(pid: int) -> list[str] | None:
    """Return the interfaces of process `pid` that have an address or a route, and ``lo``.

    None when the system does not show them. If any address besides loopback exists, every
    interface is returned: fib_trie lists addresses without their interface.

    Source: proc(5), /proc/pid/net: dev, route, if_inet6, fib_trie.
    """
    net = Path("/proc") / str(pid) / "net"
    try:
        names = [
            line.partition(":")[0].strip() for line in (net / "dev").read_text().splitlines()[2:]
        ]
        routed = {line.split()[0] for line in (net / "route").read_text().splitlines()[1:]}
        version6 = {line.split()[-1] for line in _text(net / "if_inet6").splitlines()}
        addresses = set(_ADDRESS.findall(_text(net / "fib_trie")))
    except (OSError, IndexError):
        return None
    if addresses - {_LOOPBACK_NET}:
        return names
    return [name for name in names if name == _LOOPBACK or name in routed | version6]


def open_sockets(account: Account, own: Path) -> list[str]:
    """Return the sockets of PostgreSQL servers that `account` may connect to, except below `own`.

    Source: proc(5), /proc/net/unix.
    """
    listed = sorted(set(_SERVER_SOCKET.findall(_text(Path("/proc/net/unix")))))
    others = [path for path in listed if not Path(path).is_relative_to(own)]
    if not others:
        return []
    # test(1) runs as that user: only the kernel knows everything a permission depends on.
    done = run(
        ["/bin/sh", "-c", _WRITABLE, "sh", *others],
        timeout_seconds=_PROBE_SECONDS,
        env=child_environment(),
        account=account,
        check=False,
    )
    return done.stdout.splitlines()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="backslashreplace")
    except OSError:
        return ""
