"""What a program printed, read from a file within limits: its input may be hostile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTPUT_BYTES = 64 * 1024 * 1024
"""Longest output that is read. A list of a million objects of a dump has about this size."""

_ERRORS_BYTES = 4 * 1024 * 1024
"""Most that is read of its messages: the first half of that, and the last half."""

_ENDLESS_BYTES = 4 * OUTPUT_BYTES
"""A program that prints more is stopped, before it fills the disk."""


def is_endless(streams: Iterable[IO[bytes]]) -> bool:
    """Return whether a program that still runs has printed more than any answer has."""
    return max(map(_size, streams)) > _ENDLESS_BYTES


def too_much(program: str) -> HarnessError:
    """Return the error for a program that prints more than is read."""
    return HarnessError(
        f"{Path(program).name} printed more than {OUTPUT_BYTES:,} bytes",
        hint="run it by hand to see what it prints: what it reads may be damaged or hostile.",
    )


def whole(stream: IO[bytes], program: str) -> str:
    r"""Return everything in `stream` as text; bytes that are not UTF-8 appear as ``\xff``.

    Raises:
        HarnessError: It is more than is read.
    """
    if _size(stream) > OUTPUT_BYTES:
        raise too_much(program)
    stream.seek(0)
    return _decoded(stream.read())


def ends_of(stream: IO[bytes]) -> str:
    """Return the text of `stream`; of a long one the beginning and the end."""
    size = _size(stream)
    stream.seek(0)
    if size <= _ERRORS_BYTES:
        return _decoded(stream.read())
    first = stream.read(_ERRORS_BYTES // 2)
    stream.seek(size - _ERRORS_BYTES // 2)
    between = f"\n[{size - _ERRORS_BYTES:,} bytes left out]\n"
    return _decoded(first) + between + _decoded(stream.read())


def _size(stream: IO[bytes]) -> int:
    return os.fstat(stream.fileno()).st_size


def _decoded(content: bytes) -> str:
    # Not surrogateescape: execnet, which carries the messages of xdist workers, encodes text as
    # strict UTF-8, so a lone surrogate ends the worker.
    return content.decode("utf-8", errors="backslashreplace")
