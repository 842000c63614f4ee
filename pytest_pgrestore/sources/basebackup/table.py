"""``[sources.NAME]`` of ``type = "basebackup"``.

Imports pydantic. So this module is imported inside functions only.
"""

from __future__ import annotations

from typing import Literal

from pytest_pgrestore.settings.source_tables import SourceTable


class BasebackupTable(SourceTable):
    """``type = "basebackup"``: output of pg_basebackup, and a WAL archive."""

    type: Literal["basebackup"]
    path: str
    wal: str | None = None
    verify: bool = True
