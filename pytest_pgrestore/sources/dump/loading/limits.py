"""What a dump may ask of this machine. A real dump can need more, so each is a setting."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadLimits:
    """Limits of memory and disk.

    Attributes:
        statement_bytes: Longest statement or line of plain SQL that psql gets. psql holds several
            copies of it in memory.
        objects: Most objects of a plain dump that are compared with the restored catalogue: the
            names of half a million take some 150 MB.
        kept_free_bytes: Free space below which a load is ended: what the sandbox itself wants
            beyond its estimate.
    """

    statement_bytes: int = 256 * MEBIBYTE
    objects: int = 500_000
    kept_free_bytes: int = 64 * MEBIBYTE
