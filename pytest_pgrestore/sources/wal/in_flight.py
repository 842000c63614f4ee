"""The newest segment of an archive may still be on its way into it: a second look, with a limit.

`cp` and most stores show a file under its name before it is complete. What is short, or zeros, and
still grows is no damage. What does not grow any more is what a restore would get.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import codec_of, open_plain, reading
from pytest_pgrestore.sources.wal.header import HEADER_BYTES
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECENT_SECONDS = 60.0
"""Age of a change up to which a file may be on its way."""

STILL_SECONDS = 10.0
"""How long a recent file must not have changed before its fault counts."""

OLD_STILL_SECONDS = 1.0
"""The same for a file that looks old: its storage may have another clock."""

LONGEST_SECONDS = 300.0
"""Longest wait for one segment, also while it grows: 1 GiB at 4 MB/s."""

_PAUSE_SECONDS = 0.5
_READ_BYTES = 1 << 20


def looked_at_again(
    path: Path,
    fault: Callable[[], str | None],
    segment_bytes: int,
    *,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> str | None:
    """Return what is wrong with the newest segment of an archive, once it stands still.

    Args:
        path: The file.
        fault: Returns what is wrong with its size and first bytes; None if nothing is.
        segment_bytes: Size of the segment.
        clock: Monotonic seconds.
        now: Seconds since the epoch.
        sleep: Waits between two looks.

    Raises:
        HarnessError: It is still growing after `LONGEST_SECONDS`.
    """
    recent = _is_recent(path, now())
    found = fault() or (_cut_short(path, segment_bytes) if recent else None)
    if found is None or _is_whole(path, segment_bytes):
        return found
    patience = STILL_SECONDS if recent else OLD_STILL_SECONDS
    seen, since = _facts(path), clock()

    def settled() -> bool:
        nonlocal found, seen, since
        found = fault() or _cut_short(path, segment_bytes)
        facts = _facts(path)
        if facts != seen:
            seen, since = facts, clock()
        return found is None or clock() - since >= patience

    wait_until(
        settled,
        what=f"the copy of WAL segment {path} into the archive",
        timeout_seconds=LONGEST_SECONDS,
        clock=clock,
        sleep=lambda _: sleep(_PAUSE_SECONDS),
    )
    return None if found is None else f"{found} (looked at again: it does not grow any more)"


def _is_recent(path: Path, now: float) -> bool:
    facts = _facts(path)
    return facts is not None and abs(now - facts[1] / 1e9) <= RECENT_SECONDS


def _is_whole(path: Path, segment_bytes: int) -> bool:
    """Tell whether a file has the size of a segment and begins with something: it has arrived."""
    with reading(path):
        if codec_of(path) != "none" or path.stat().st_size != segment_bytes:
            return False
        with open_plain(path) as stream:
            return any(stream.read(HEADER_BYTES))


def _facts(path: Path) -> tuple[int, int] | None:
    """Return size and time of change; None while a file is put in the place of another."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _cut_short(path: Path, segment_bytes: int) -> str | None:
    """Return whether a compressed file ends early, which its first bytes do not tell."""
    try:
        with reading(path):
            if codec_of(path) == "none":
                return None
            length = 0
            with open_plain(path) as stream:
                while length <= segment_bytes and (part := stream.read(_READ_BYTES)):
                    length += len(part)
    except BackupNotRestorable as exc:
        return f"does not unpack: {exc.problem}"
    if length == segment_bytes:
        return None
    return f"unpacks to {length:,} bytes instead of {segment_bytes:,}"
