"""Answers that the daemon sends one by one, as of a pull or a build: with an end, and closed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def in_time(answers: Any, what: str, timeout_seconds: float) -> Iterator[Iterator[dict[str, Any]]]:
    """Yield the daemon's answers until the deadline passes: it may go on answering for ever.

    Afterwards the connection is closed. docker-py leaves that to the garbage collector, and Python
    then warns in whatever runs.

    Raises:
        HarnessError: The deadline passed.
    """
    deadline = time.monotonic() + timeout_seconds

    def each() -> Iterator[dict[str, Any]]:
        for answer in answers:
            if time.monotonic() > deadline:
                raise HarnessError(
                    f"{what} did not end within {timeout_seconds:g} s",
                    hint="raise --pgrestore-timeout, or pull or build it by hand.",
                )
            yield answer

    # docker-py gives its generator the response, and no way to close it (`_stream_helper`).
    frame = getattr(answers, "gi_frame", None)
    response = frame.f_locals.get("response") if frame is not None else None
    try:
        yield each()
    finally:
        if response is not None:
            response.close()
