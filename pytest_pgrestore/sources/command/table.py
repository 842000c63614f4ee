"""``[sources.NAME]`` of ``type = "command"``. Imports pydantic, and is therefore imported inside functions only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from pytest_pgrestore.settings.source_tables import ToolTable

Words = list[str]
"""A program and its arguments; no shell is asked."""


class CommandTable(ToolTable):
    """``type = "command"``: commands of the user's own."""

    renamed: ClassVar[Mapping[str, str]] = {
        **ToolTable.renamed,
        "reads": "read_paths",
        "wal": "wal_fetch",
    }

    type: Literal["command"]
    fetch: Words
    wal_fetch: Words
    wal_list: Words
    read_paths: Words = Field(default_factory=list)
    verify: bool = True
    list: Words
