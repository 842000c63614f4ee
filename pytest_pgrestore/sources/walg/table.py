"""``[sources.NAME]`` of ``type = "walg"``. Imports pydantic, and is therefore imported inside functions only."""

from __future__ import annotations

from typing import ClassVar, Literal

from pytest_pgrestore.settings.source_tables import FilePath, ToolTable


class WalgTable(ToolTable):
    """``type = "walg"``: a prefix of WAL-G.

    Attributes:
        config: WAL-G's configuration file; None leaves everything to variables.
        verify: Whether to run ``wal-verify`` too, which connects to production's server.
    """

    default_program: ClassVar[str] = "wal-g"

    type: Literal["walg"]
    config: FilePath | None = None
    verify: bool = False
