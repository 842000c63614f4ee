"""``[sources.NAME]`` of ``type = "walg"``. Imports pydantic, and is therefore imported inside functions only."""

from __future__ import annotations

from typing import Literal

from pytest_pgrestore.settings.source_tables import ToolTable


class WalgTable(ToolTable):
    """``type = "walg"``: a prefix of WAL-G."""

    type: Literal["walg"]
    config: str | None = None
    verify: bool = False
