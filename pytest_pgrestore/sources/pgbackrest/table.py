"""``[sources.NAME]`` with ``type = "pgbackrest"``.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pytest_pgrestore.settings.source_tables import FilePath, ToolTable
from pytest_pgrestore.sources.pgbackrest.config_files import BASE, FILE, INCLUDE

_DECIDES = re.compile(r"PGBACKREST_(?:CONFIG.*|REPO\d*_(?:PATH|TYPE|HOST))")
"""Variables that decide which repository is read, or whether by the network."""


class PgbackrestTable(ToolTable):
    """``type = "pgbackrest"``: a stanza of pgBackRest.

    Attributes:
        stanza: Name of the stanza.
        config: pgBackRest's configuration file or directory; None: pgBackRest's default paths.
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
    def _require_one_configuration(self) -> Self:
        hidden = [name for name in self.secrets if _DECIDES.fullmatch(name)]
        if hidden:
            raise ValueError(
                f"{hidden[0]} in `secrets` decides which repository is read, and the evidence could"
                " not name it; put it into `env` with its value."
            )
        twice = [name for name in (FILE, BASE) if name in self.env]
        if self.config is not None and twice:
            raise ValueError(
                f"config and {twice[0]} in `env` name two configurations; leave one of them out."
            )
        relative = [
            name for name in (FILE, BASE, INCLUDE) if not self.env.get(name, "/").startswith("/")
        ]
        if relative:
            raise ValueError(f"{relative[0]} is no absolute path; write the whole path.")
        return self

    @model_validator(mode="after")
    def _require_time(self) -> Self:
        if self.delta is not None and self.rto is not None:
            raise ValueError(
                "rto and delta exclude each other: a restore onto a kept directory is faster than"
                " the one in a disaster; leave one of them out, or give the rto to a copy without"
                " delta."
            )
        return self
