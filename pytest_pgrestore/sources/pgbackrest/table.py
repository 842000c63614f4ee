"""``[sources.NAME]`` of ``type = "pgbackrest"``. Imports pydantic, and is therefore imported inside functions only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pytest_pgrestore.settings.source_tables import ToolTable


class PgbackrestTable(ToolTable):
    """``type = "pgbackrest"``: a stanza of pgBackRest."""

    renamed: ClassVar[Mapping[str, str]] = {**ToolTable.renamed, "processes": "process_max"}

    type: Literal["pgbackrest"]
    stanza: str
    config: str | None = None
    repo: Annotated[int, Field(ge=1)] | None = None
    process_max: Annotated[int, Field(ge=1)] | None = None
    verify: bool = False
    delta: str | None = None

    @model_validator(mode="after")
    def _require_time(self) -> Self:
        if self.delta is not None and self.rto is not None:
            raise ValueError(
                "rto and delta exclude each other: a restore onto a kept directory is faster than the one in a"
                " disaster; leave one of them out, or give the rto to a copy without delta."
            )
        return self
