"""``[sources.NAME]`` of ``type = "dump"``.

Imports pydantic. So this module is imported inside functions only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_pgrestore.settings.source_tables import SourceTable


class DumpTable(SourceTable):
    """``type = "dump"``: output of pg_dump or pg_dumpall."""

    type: Literal["dump"]
    path: str
    globals: str | None = None
    jobs: Annotated[int, Field(ge=1)] | None = None
    tables: list[str] = Field(default_factory=list)
    schema_only: bool = False
    data_only: bool = False
    schema_file: str | None = None
    owners: bool = True
    max_statement_mb: Annotated[int, Field(ge=1)] = 256
    max_objects: Annotated[int, Field(ge=1)] = 500_000
    keep_free_mb: Annotated[int, Field(ge=0)] = 64
