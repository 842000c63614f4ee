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
    from collections.abc import Callable

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_VERSION_3 = 0x20080522
_PR_SET_NO_NEW_PRIVS = 38

CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER = 0, 1, 2, 3
"""Numbers from linux/capability.h."""

READER = (DAC_READ_SEARCH,)
"""Of a program that reads a backup which only root can read."""

RESTORER = (CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER)
"""Of a backup tool that writes a copy: it sets owners, modes and times."""


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
