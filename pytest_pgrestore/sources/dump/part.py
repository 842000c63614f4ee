"""One file of a backup: what its bytes say, and what must exist after it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_pgrestore.sources.dump.reading import toc
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.sources.dump.reading.entries import Entry


@dataclass(slots=True)
class Part:
    """What `locate` found of one file, for the later steps of the same restore.

    Attributes:
        dump: The file.
        contents: Table of contents of an archive; None for plain SQL.
        readable: Whether the server's user reads the archive in place.
        promised: Entries that must exist after the restore, by database; filled by `load`.
    """

    dump: DumpFile
    contents: toc.Toc | None = None
    readable: bool = True
    promised: dict[str, list[Entry]] = field(default_factory=dict)


def promised_by(parts: list[Part]) -> dict[str, list[Entry]]:
    """Return the entries that all parts promise, by database."""
    found: dict[str, list[Entry]] = {}
    for part in parts:
        for database, entries in part.promised.items():
            found.setdefault(database, []).extend(entries)
    return found
