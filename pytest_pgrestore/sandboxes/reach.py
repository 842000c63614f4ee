"""What a running process could reach, asked from the system: network interfaces, and Unix sockets of other servers.

A network namespace does not cut Unix sockets that have a path: only file permissions do.

Source: proc(5), /proc/pid/net; unix(7): connecting needs write permission on the socket.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.process import child_environment, run

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.account import Account

_LOOPBACK = "lo"
_ADDRESS = re.compile(r"\|-- (\d+)\.\d+\.\d+\.\d+\n\s+/32 host LOCAL")
_LOOPBACK_NET = "127"
_SERVER_SOCKET = re.compile(r"\s(/\S.*/\.s\.PGSQL\.\d+)$", re.MULTILINE)
_PROBE = 'for path; do if test -w "$path"; then printf "%s\\n" "$path"; fi; done'
_PROBE_SECONDS = 30.0


def interfaces_of(pid: int) -> list[str] | None:
    """Return the network interfaces that the process has and that have an address or a route; None if unknown."""
    net = Path("/proc") / str(pid) / "net"
    try:
        names = [line.partition(":")[0].strip() for line in (net / "dev").read_text().splitlines()[2:]]
        routed = {line.split()[0] for line in (net / "route").read_text().splitlines()[1:]}
        version6 = {line.split()[-1] for line in _text(net / "if_inet6").splitlines()}
        addresses = set(_ADDRESS.findall(_text(net / "fib_trie")))
    except (OSError, IndexError):
        return None
    if addresses - {_LOOPBACK_NET}:
        # Addresses are told without their interface, so any of them may have it.
        return names
    return [name for name in names if name == _LOOPBACK or name in routed | version6]


def open_sockets(account: Account, own: Path) -> list[str]:
    """Return the sockets of PostgreSQL servers here that `account` may connect to, less those below `own`."""
    listed = sorted(set(_SERVER_SOCKET.findall(_text(Path("/proc/net/unix")))))
    others = [path for path in listed if not Path(path).is_relative_to(own)]
    if not others:
        return []
    # Asked by that user, because only the kernel knows all that permission depends on.
    done = run(
        ["/bin/sh", "-c", _PROBE, "sh", *others],
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
