"""``[sources.NAME]`` with ``type = "walg"``.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

from typing import Literal

from pytest_pgrestore.settings.source_tables import FilePath, ToolTable


class WalgTable(ToolTable):
    """``type = "walg"``: a prefix of WAL-G.

    Attributes:
        config: WAL-G's configuration file; None: the variables are all there is.
        verify: Whether to run ``wal-g wal-verify`` too, which connects to production.
        network: None means yes unless the storage is a directory.
    """

    type: Literal["walg"]
    program: str = "wal-g"
    config: FilePath | None = None
    verify: bool = False
