"""One file of a backup: what its bytes say, and what must exist after it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.sources.dump.reading import toc
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.sources.dump.reading.entries import Entry


@dataclass(frozen=True, slots=True)
class Promise:
    """What must exist in one database after the restore.

    Attributes:
        database: Its name.
        entries: The entries of the dump.
        encoding: Encoding of the dump, as PostgreSQL names it; None is UTF-8.
        names_parents: Whether the entry of a constraint, for example, names its table.
    """

    database: str
    entries: Sequence[Entry]
    encoding: str | None = None
    names_parents: bool = True


@dataclass(slots=True)
class Part:
    """What `locate` found of one file, for the later steps of the same restore.

    Attributes:
        dump: The file.
        contents: Table of contents of an archive; None for plain SQL.
        readable: Whether the server's user reads the archive in place.
        promises: What must exist after the restore; filled by `load`.
        databases: The databases of a pg_dumpall, in order; filled by `load`.
    """

    dump: DumpFile
    contents: toc.Toc | None = None
    readable: bool = True
    promises: list[Promise] = field(default_factory=list)
    databases: list[str] = field(default_factory=list)
