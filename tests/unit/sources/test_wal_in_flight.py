"""The newest segment of an archive is looked at again before it convicts; no test waits."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.wal import in_flight

SIZE = 1 << 20
WHOLE = b"\x01" * SIZE
NOW = 1_800_000_000.0


class Clock:
    """A clock that only `sleep` moves; at each sleep the next of `events` happens."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self.seconds = 0.0
        self._events = list(events)

    def sleep(self, seconds: float) -> None:
        """Let time pass, and let the archiver work."""
        self.seconds += seconds
        if self._events:
            self._events.pop(0)()


def put(path: Path, content: bytes, age_seconds: float = 0.0) -> None:
    """Write a file that was changed some time ago."""
    path.write_bytes(content)
    os.utime(path, (NOW - age_seconds, NOW - age_seconds))


def looked_at(path: Path, clock: Clock) -> str | None:
    """Return what is wrong with a segment, whose size alone is its first fault."""

    def fault() -> str | None:
        if path.suffix == ".gz" or (path.stat().st_size == SIZE and any(path.read_bytes()[:64])):
            return None
        return f"is {path.stat().st_size} bytes long"

    return in_flight.looked_at_again(
        path, fault, SIZE, clock=lambda: clock.seconds, now=lambda: NOW, sleep=clock.sleep
    )


@pytest.mark.parametrize("start", [b"", WHOLE[:1000], bytes(SIZE)], ids=["empty", "short", "zeros"])
@pytest.mark.parametrize("age_seconds", [5.0, -5.0, 500.0])
def test_a_segment_that_arrives_meanwhile_is_whole(
    tmp_path: Path, start: bytes, age_seconds: float
) -> None:
    """A store whose clock is wrong, too: what it shows as old still grows."""
    path = tmp_path / "segment"
    put(path, start, age_seconds)

    assert looked_at(path, Clock(lambda: put(path, WHOLE))) is None


def test_a_compressed_segment_that_arrives_meanwhile_is_whole(tmp_path: Path) -> None:
    """Its first bytes are right before it is complete."""
    packed = gzip.compress(os.urandom(SIZE))
    path = tmp_path / "segment.gz"
    put(path, packed[: len(packed) // 2])

    assert looked_at(path, Clock(lambda: put(path, packed))) is None


def test_a_segment_that_grows_slowly_is_waited_for(tmp_path: Path) -> None:
    """Each change gives it more time."""
    path = tmp_path / "segment"
    put(path, b"")
    steps = [lambda size=size: put(path, WHOLE[:size], age_seconds=size) for size in range(400)]
    clock = Clock(*steps, lambda: put(path, WHOLE))

    assert looked_at(path, clock) is None
    assert clock.seconds > in_flight.STILL_SECONDS


@pytest.mark.parametrize(
    ("age_seconds", "most_seconds"),
    [(5.0, in_flight.STILL_SECONDS + 1), (500.0, in_flight.OLD_STILL_SECONDS + 1)],
)
@pytest.mark.parametrize("name", ["segment", "segment.gz"])
def test_a_segment_that_stands_still_is_short(
    tmp_path: Path, name: str, age_seconds: float, most_seconds: float
) -> None:
    """The wait has an end, soon for a file that is old."""
    path = tmp_path / name
    content = gzip.compress(WHOLE) if name.endswith("gz") else WHOLE
    put(path, content[: len(content) // 2], age_seconds)
    if name.endswith("gz") and age_seconds > in_flight.RECENT_SECONDS:
        return  # what is old is unpacked once, when it is staged
    clock = Clock()

    found = looked_at(path, clock)

    assert found is not None
    assert "does not grow any more" in found
    assert clock.seconds <= most_seconds


def test_another_fault_needs_no_second_look(tmp_path: Path) -> None:
    """A whole segment of another cluster does not become ours."""
    put(tmp_path / "segment", WHOLE)
    clock = Clock()

    found = in_flight.looked_at_again(
        tmp_path / "segment",
        lambda: "is from another database cluster",
        SIZE,
        clock=lambda: clock.seconds,
        now=lambda: NOW,
        sleep=clock.sleep,
    )

    assert found == "is from another database cluster"
    assert clock.seconds == 0.0


def test_a_segment_that_never_ends_is_no_finding(tmp_path: Path) -> None:
    """It is being written, so nothing is known of it yet."""
    path = tmp_path / "segment"
    put(path, b"")
    steps = [lambda size=size: put(path, WHOLE[:size], size) for size in range(700)]

    with pytest.raises(HarnessError, match="took longer than 300 s"):
        looked_at(path, Clock(*steps))
