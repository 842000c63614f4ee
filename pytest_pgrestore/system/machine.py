"""The machine, as far as the speed of a restore depends on it."""

from __future__ import annotations

import os
import platform
import re
from math import log2
from pathlib import Path

_MODEL = re.compile(r"^model name\s*:\s*(\S.*)$", re.MULTILINE)
_KIB = 1024


def machine() -> str:
    """Return architecture, processors and memory, e.g. ``x86_64, 8 CPUs (EPYC 7763), 16 GiB``.

    The memory is a power of two: what the kernel keeps for itself differs between its releases.
    Names of hosts are not in it. A runner of a CI system has another one each time.
    """
    words = [platform.machine() or "unknown architecture", _processors()]
    memory = _memory_bytes()
    if memory:
        gib = 2 ** max(0, round(log2(memory / _KIB**3)))
        words.append(f"about {gib} GiB")
    return ", ".join(words)


def _processors() -> str:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = _MODEL.search(_text(Path("/proc/cpuinfo")))
    model = f" ({found[1]})" if found is not None else ""
    return f"{count or 'unknown'} CPU{'' if count == 1 else 's'}{model}"


def _memory_bytes() -> int:
    """Return the memory of the machine; 0 if the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def _text(path: Path) -> str:
    """Return the begin of a file; "" if it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(100_000)
    except OSError:
        return ""
