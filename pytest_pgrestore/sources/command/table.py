"""``[sources.NAME]`` of ``type = "command"``. Imports pydantic, and is therefore imported inside functions only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from pytest_pgrestore.settings.source_tables import FilePath, ToolTable

Words = list[str]
"""A program and its arguments; no shell is asked."""


Paths = list[FilePath]


class CommandTable(ToolTable):
    """``type = "command"``: commands of the user's own.

    Attributes:
        list: Prints the catalogue as JSON.
        fetch: Fills ``{data}`` from ``{backup}``.
        wal_fetch: Brings ``{file}`` to ``{path}``.
        wal_list: Prints the names of the WAL files, one per line.
        read_paths: Files and directories of this machine that the commands read.
        verify: Whether to run pg_verifybackup if the backup has a manifest.
    """

    renamed: ClassVar[Mapping[str, str]] = {
        **ToolTable.renamed,
        "reads": "read_paths",
        "wal": "wal_fetch",
    }

    type: Literal["command"]
    fetch: Words
    wal_fetch: Words
    wal_list: Words
    read_paths: Paths = Field(default_factory=list)
    verify: bool = True
    list: Words
