"""``[sources.NAME]`` of ``type = "basebackup"``.

Imports pydantic. So this module is imported inside functions only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_pgrestore.settings.source_tables import FilePath, SourceTable
from pytest_pgrestore.sources.basebackup.manifest import MAX_FILES


class BasebackupTable(SourceTable):
    """``type = "basebackup"``: output of pg_basebackup, and a WAL archive."""

    type: Literal["basebackup"]
    path: str
    wal: str | None = None
    backup: str | None = None
    verify: bool = True
    linked_paths: list[FilePath] = Field(default_factory=list)
    max_files: Annotated[int, Field(ge=1)] = MAX_FILES
