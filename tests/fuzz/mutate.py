"""Mutations of real files, as a hypothesis strategy."""

from __future__ import annotations

from hypothesis import strategies as st

_INTERESTING = (
    b"\x00",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\n" * 50,
    b"9" * 40,
    b"-1",
    b"Infinity",
    b"NaN",
    b"\x1b[2J",
    b"\r\n::error::x\n",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"../../etc/shadow",
    b"\xe2\x80\xae",
)


_EDITS = st.tuples(
    st.sampled_from(("flip", "cut", "drop", "double", "insert", "overwrite")),
    st.integers(0, 2**20),
    st.integers(1, 64),
    st.one_of(st.sampled_from(_INTERESTING), st.binary(min_size=1, max_size=16)),
)


def mutated(original: bytes) -> st.SearchStrategy[bytes]:
    """Return `original` with one to six places cut, doubled, flipped, or replaced."""
    return st.lists(_EDITS, min_size=1, max_size=6).map(lambda edits: _edited(original, edits))


def _edited(original: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    data = bytearray(original)
    for kind, position, length, word in edits:
        start = position % (len(data) or 1)
        if kind == "flip" and data:
            data[start] ^= 1 << (length % 8)
        elif kind == "cut":
            del data[start:]
        elif kind == "drop":
            del data[start : start + length]
        elif kind == "double":
            data[start:start] = data[start : start + length]
        elif kind == "insert":
            data[start:start] = word
        else:
            data[start : start + len(word)] = word
    return bytes(data)
