"""``[sources.NAME]`` of ``type = "command"``. Imports pydantic, and is therefore imported inside functions only."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_pgrestore.settings.source_tables import ToolTable

Words = list[str]
"""A program and its arguments; no shell is asked."""


class CommandTable(ToolTable):
    """``type = "command"``: commands of the user's own."""

    type: Literal["command"]
    fetch: Words
    wal: Words
    wal_list: Words
    reads: Words = Field(default_factory=list)
    verify: bool = True
    list: Words
