"""``[sources.NAME]`` with ``type = "pgbackrest"``.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pytest_pgrestore.settings.source_tables import FilePath, ToolTable


class PgbackrestTable(ToolTable):
    """``type = "pgbackrest"``: a stanza of pgBackRest.

    Attributes:
        stanza: Name of the stanza.
        config: pgBackRest's configuration file; None: pgBackRest's own default paths.
        repo: Number of the repository: 1 for ``repo1``; None takes the first.
        process_max: Processes of a restore; None is one per core.
        verify: Whether to run ``pgbackrest verify`` on the repository too.
        delta: Directory that keeps a restore for the next drill; None restores from nothing.
        network: None asks pgBackRest's configuration.
    """

    renamed: ClassVar[Mapping[str, str]] = {**ToolTable.renamed, "processes": "process_max"}

    type: Literal["pgbackrest"]
    program: str = "pgbackrest"
    stanza: str
    config: FilePath | None = None
    repo: Annotated[int, Field(ge=1)] | None = None
    process_max: Annotated[int, Field(ge=1)] | None = None
    verify: bool = False
    delta: FilePath | None = None

    @model_validator(mode="after")
    def _require_time(self) -> Self:
        if self.delta is not None and self.rto is not None:
            raise ValueError(
                "rto and delta exclude each other: a restore onto a kept directory is faster than"
                " the one in a disaster; leave one of them out, or give the rto to a copy without"
                " delta."
            )
        return self
