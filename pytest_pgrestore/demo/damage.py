"""Damage to copies of backups, as disks, networks and people cause it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.wal import is_segment_name

if TYPE_CHECKING:
    from pathlib import Path

PAGE_BYTES = 8192
"""BLCKSZ of PostgreSQL as it is built by default."""


def segments(archive: Path) -> list[Path]:
    """Return the WAL segments of an archive in order, without history and label files."""
    return sorted(path for path in archive.iterdir() if is_segment_name(path.name))


def cut(path: Path, fraction: float) -> None:
    """Keep the first `fraction` of the file."""
    with path.open("r+b") as stream:
        stream.truncate(int(path.stat().st_size * fraction))


def flip(path: Path, offset: int) -> None:
    """Invert the byte at `offset`, counted from the end when negative."""
    with path.open("r+b") as stream:
        position = offset if offset >= 0 else path.stat().st_size + offset
        stream.seek(position)
        byte = stream.read(1)[0]
        stream.seek(position)
        stream.write(bytes([byte ^ 0xFF]))


def zero_page(path: Path, number: int = 0) -> None:
    """Fill one page of a relation's file with zeros.

    An empty page is valid to PostgreSQL (PageIsVerified in src/backend/storage/page/bufpage.c), so
    checksums, amcheck and pg_dump find nothing wrong.
    """
    with path.open("r+b") as stream:
        stream.seek(number * PAGE_BYTES)
        stream.write(bytes(PAGE_BYTES))
