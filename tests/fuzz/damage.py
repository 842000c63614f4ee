"""Damage to a dump in one place, as a hypothesis strategy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

KINDS = ("cut", "flip", "drop", "double", "zero", "drop line", "double line", "empty", "gone")


@dataclass(frozen=True)
class Damage:
    """One place of a dump, and what happens to it.

    Attributes:
        kind: One of `KINDS`. ``empty`` and ``gone`` are of a whole file.
        member: Which file of a directory, from 0 to 1.
        place: Where in the file, from 0 to 1.
        length: Bytes that are dropped, doubled or made zero.
    """

    kind: str
    member: float
    place: float
    length: int

    def apply(self, dump: Path) -> str:
        """Damage `dump`; return which file was damaged and how."""
        files = sorted(dump.iterdir()) if dump.is_dir() else [dump]
        file = files[int(self.member * (len(files) - 1))]
        if self.kind == "gone" and dump.is_dir():
            file.unlink()
        else:
            file.write_bytes(self._damaged(file.read_bytes()))
        return f"{self.kind} in {file.name} at {self.place:.4f}, {self.length} bytes"

    def _damaged(self, data: bytes) -> bytes:
        start = int(self.place * max(0, len(data) - 1))
        end = start + self.length
        before, here, after = data[:start], data[start:end], data[end:]
        match self.kind:
            case "cut":
                damaged = before
            case "flip":
                damaged = before + bytes([byte ^ 1 << self.length % 8 for byte in here[:1]])
                damaged += here[1:] + after
            case "drop":
                damaged = before + after
            case "double":
                damaged = before + here + here + after
            case "zero":
                damaged = before + bytes(len(here)) + after
            case "drop line" | "double line":
                lines = data.splitlines(keepends=True)
                number = int(self.place * max(0, len(lines) - 1))
                times = 2 if self.kind == "double line" else 0
                damaged = b"".join(
                    [*lines[:number], *lines[number : number + 1] * times, *lines[number + 1 :]]
                )
            case _:
                damaged = b""
        return damaged


_PLACES = st.floats(0, 1)
DAMAGES = st.builds(Damage, st.sampled_from(KINDS), _PLACES, _PLACES, st.integers(1, 600))
