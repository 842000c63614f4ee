"""``[sources.NAME]`` with ``type = "command"``.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from pytest_pgrestore.settings.source_tables import FilePath, ToolTable

Words = list[str]
"""A program and its arguments. No shell reads them."""

Paths = list[FilePath]


class CommandTable(ToolTable):
    """``type = "command"``: commands of the user.

    Attributes:
        list: Prints the catalogue as JSON.
        fetch: Copies backup ``{backup}`` to the directory ``{data}``.
        wal_fetch: Copies the WAL file ``{file}`` to ``{path}``.
        wal_list: Prints the names of all WAL files, one per line.
        read_paths: Files and directories of this machine that the commands read.
        verify: Whether to run pg_verifybackup on the restored files.
        network: None means no.
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
