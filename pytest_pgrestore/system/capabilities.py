"""Root without root's rights: the capabilities of a child, cut down before it runs a program.

Source: capabilities(7), capget(2). With no_new_privs a program that root starts cannot get them
back by exec.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_VERSION_3 = 0x20080522
_PR_SET_NO_NEW_PRIVS = 38

CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER = 0, 1, 2, 3
SETGID, SETUID = 6, 7
"""Numbers from linux/capability.h."""

CHANGE_USER = {"CAP_CHOWN": CHOWN, "CAP_SETGID": SETGID, "CAP_SETUID": SETUID}
"""What root needs to give files to another user and to become that user."""

READER = (DAC_READ_SEARCH,)
"""Of a program that reads a backup which only root can read."""

RESTORER = (CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER)
"""Of a backup tool that writes a copy: it sets owners, modes and times."""


def missing(needed: Mapping[str, int]) -> list[str]:
    """Return the names of the needed capabilities that this process does not have."""
    if _LIBC is None:
        return []
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0))
    data = ctypes.create_string_buffer(struct.calcsize("=6I"))
    if _LIBC.capget(header, data) != 0:
        return []
    effective = struct.unpack_from("=I", data)[0]
    return [name for name, number in needed.items() if not effective >> number & 1]


def keep_only(kept: tuple[int, ...]) -> Callable[[], None]:
    """Return a function for a child of root between fork and exec: it keeps these capabilities."""
    low = sum(1 << number for number in kept)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0))
    # Effective, permitted, inheritable, once for the low and once for the high 32 numbers.
    data = ctypes.create_string_buffer(struct.pack("=6I", low, low, 0, 0, 0, 0))

    def _keep() -> None:
        if _LIBC is None:
            return
        if _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or _LIBC.capset(header, data) != 0:
            raise OSError(ctypes.get_errno(), "capset")

    return _keep
